"""The lock file: what is written is what is read, and it is held against the workflow."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.configs.load import Workflow
from planloom.configs.lock import lock_path, locked, mcp_target, write_lock
from planloom.core.errors import ConfigError
from planloom.core.json import Json
from planloom.core.pins import PinnedServer, PinnedTool, Pins

WORKFLOW = """version: 1
name: w
tools:
  notes: {mcp: {command: [serve, "${env:TOKEN:-none}"]}}
nodes: {a: {code: "1"}}
"""
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.sampled_from(
    ["no", "1e3", "~", "", "null", "0x1F", "- a", "a: b", "# c", "12:30", "!!str x", "${env:HOME}", "a\nb\n", "<<", "="]
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(len), inner, max_size=3),
    max_leaves=8,
)


def pins(description: str = "d", parameters: dict[str, Json] | None = None, target: str = "serve") -> Pins:
    tool = PinnedTool(
        name="get", description=description, parameters=parameters or {}, digest="sha256:0", read_only=True
    )
    return Pins(servers={"notes": PinnedServer(target=target, title="t", tools=(tool,))})


def written(folder: Path, text: str = WORKFLOW) -> Workflow:
    (folder / "w.yaml").write_text(text)
    return Workflow.from_yaml(folder / "w.yaml", env={"TOKEN": "secret"})


@given(description=TEXTS, parameters=st.dictionaries(TEXTS.filter(len), VALUES, max_size=4))
def test_what_is_written_is_what_is_read(description: str, parameters: dict[str, Json]) -> None:
    with TemporaryDirectory() as folder:
        workflow = written(Path(folder))
        path = lock_path(workflow)
        assert path is not None
        held = pins(description, parameters, mcp_target(workflow, "notes"))
        write_lock(path, held)
        assert locked(workflow) == Pins(servers=held.servers, lock=str(path))


def test_a_lock_names_the_variable_and_not_its_value(tmp_path: Path) -> None:
    workflow = written(tmp_path)
    assert workflow.spec.tools["notes"].mcp is not None
    assert workflow.spec.tools["notes"].mcp.command == ("serve", "secret")
    assert mcp_target(workflow, "notes") == "serve '${env:TOKEN:-none}'"


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        (
            "version: 1\nservers: {}\n",
            r"w\.yaml:4:\d+: tools\.notes\.mcp: w\.lock\.yaml does not know it; run",
        ),
        ("version: 2\nservers: {}\n", r"w\.lock\.yaml:1:\d+: version: "),
        ("version: 1\nservers: {notes: {server: x}}\n", r"w\.lock\.yaml:2:\d+: servers\.notes\.title: "),
        (
            "version: 1\nservers: {notes: {server: x, title: x, tools: {}}}\n",
            r"w\.lock\.yaml is about 'x', not",
        ),
        ("version: [", r"w\.lock\.yaml:2:1: not readable as YAML"),
    ],
)
def test_a_lock_that_does_not_fit_is_named_with_its_place(tmp_path: Path, lock: str, message: str) -> None:
    (tmp_path / "w.lock.yaml").write_text(lock)
    with pytest.raises(ConfigError, match=message):
        locked(written(tmp_path))


def test_where_no_server_is_named_no_lock_is_read(tmp_path: Path) -> None:
    (tmp_path / "w.lock.yaml").write_text("version: [")
    workflow = written(tmp_path, "version: 1\nname: w\nnodes: {a: {code: '1'}}\n")
    assert locked(workflow) is None


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("{mcp: {}}", r"tools\.x\.mcp: expected exactly one of command, url, found neither"),
        ("{mcp: {command: [a], url: 'https://a'}}", "expected exactly one of command, url, found both"),
        ("{mcp: {url: 'http://a.example/mcp'}}", r"mcp\.url: expected a URL with https://.*private: true allows http"),
        ("{mcp: {command: [a], headers: {b: c}}}", r"mcp\.headers: expected headers with url only"),
        ("{mcp: {url: 'https://a', env: {b: c}}}", r"mcp\.env: expected env with command only"),
        ("{python: {}, allow: [a]}", r"tools\.x\.allow: expected allow here with mcp only, found it with python"),
        ("{mcp: {command: [a]}, access: write}", "expected access with files or sql only, found it with mcp"),
    ],
)
def test_what_does_not_go_together_is_named(tool: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Workflow.from_text(f"version: 1\nname: w\ntools: {{x: {tool}}}\nnodes: {{a: {{code: '1'}}}}\n")
