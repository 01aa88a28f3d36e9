"""Files that cannot be read, and random damage: nothing but a ConfigError comes out."""

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "workflow.md").read_text(encoding="utf-8")
BASE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
"""The complete example of the reference page."""
ENV = {"WORD": "sk-secret", "HOME": "/home/x"}


BYTES = {
    "latin-1": (b"version: 1\nname: at \xe9\n", 2, 10, "UTF-8, found the byte 0xe9"),
    "utf-16": ("version: 1\n".encode("utf-16"), 1, 1, "UTF-8"),
    "cut off": (b"version: 1\nname: \xe2\x82", 2, 7, "UTF-8"),
    "null": (b"version: 1\nname: \x00", 2, 7, "U+0000"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_not_utf_8_name_the_place(name: str, tmp_path: Path) -> None:
    raw, line, column, says = BYTES[name]
    file = tmp_path / "w.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        Workflow.from_yaml(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (line, column)
    assert says in problem.message


def test_a_file_that_is_not_there_suggests_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "report.yaml").write_text(BASE)
    with pytest.raises(ConfigError, match=r'did you mean "report\.yaml"\?'):
        Workflow.from_yaml(tmp_path / "raport.yaml")


def test_a_folder_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "report.yaml").write_text(BASE)
    with pytest.raises(ConfigError, match=r"found a folder with report\.yaml"):
        Workflow.from_yaml(tmp_path)


def test_paths_no_system_can_open_are_config_errors(tmp_path: Path) -> None:
    for path in ("a\0b", "x" * 5000, str(tmp_path / "w.yaml" / "deeper"), "/dev/null"):
        with pytest.raises(ConfigError):
            Workflow.from_yaml(path)


def error_of(load: Callable[[], Workflow]) -> ConfigError | None:
    try:
        load()
    except ConfigError as error:
        return error
    return None


pieces = st.text(alphabet=string.printable + "é\u2028\ufeff\x85&*!<[{", max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), pieces), min_size=1, max_size=4))
def test_a_mutated_file_loads_or_is_a_config_error(cuts: list[tuple[int, int, str]]) -> None:
    text = BASE
    for start, length, piece in cuts:
        text = text[:start] + piece + text[start + length :]
    error = error_of(lambda: Workflow.from_text(text, env=ENV))
    assert error is None or all(problem.line for problem in error.problems)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=2)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3), max_leaves=6
)
SECTIONS = ("version", "name", "inputs", "models", "ladder", "tools", "planner", "nodes", "route", "budget", "output")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(section=st.sampled_from(SECTIONS), value=anything, name=st.sampled_from(["", "one", "mini", "db", "topic"]))
def test_wild_data_from_python_loads_or_is_a_config_error(section: str, value: object, name: str) -> None:
    data: dict[str, object] = {"version": 1, "name": "w", section: {name: value} if name else value}
    error = error_of(lambda: Workflow.from_dict(data, env=ENV))
    assert error is None or error.problems
