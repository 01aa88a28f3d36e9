from pathlib import Path

import pytest

from planloom.cli.given import find_script, load_workflow, read_approvals, read_inputs
from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError

TEXT = """
version: 1
name: w
inputs: {task: {type: string}, n: {type: integer}, on: {type: boolean}, tags: {type: array}, o: {type: object}}
nodes: {a: {code: "1"}}
"""


@pytest.fixture
def workflow() -> Workflow:
    return Workflow.from_text(TEXT)


def test_values_are_read_by_the_declared_type(workflow: Workflow) -> None:
    pairs = ["task=5", "n=5", "on=true", 'tags=["a=b"]', 'o={"k": null}']
    assert read_inputs(workflow, task=None, pairs=pairs, file=None) == {
        "task": "5",
        "n": 5,
        "on": True,
        "tags": ["a=b"],
        "o": {"k": None},
    }


def test_a_pair_wins_over_the_task_and_the_task_over_the_file(workflow: Workflow, tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"task": "file", "n": 1}')
    assert read_inputs(workflow, task="given", pairs=["n=2"], file=file) == {"task": "given", "n": 2}
    assert read_inputs(workflow, task="given", pairs=["task=pair"], file=None) == {"task": "pair"}


def test_every_bad_pair_is_named(workflow: Workflow) -> None:
    with pytest.raises(ConfigError) as bad:
        read_inputs(workflow, task=None, pairs=["n=five", "nothing", "on=maybe"], file=None)
    assert str(bad.value).splitlines() == [
        "command line: inputs.n: expected an integer as JSON, found 'five'",
        "command line: --input: expected NAME=VALUE, found 'nothing'",
        "command line: inputs.on: expected a boolean as JSON, found 'maybe'",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1]", "expected a JSON object"),
        (b"{\n x", "in.json:2:2: not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_an_inputs_file_that_is_no_object_is_refused(
    workflow: Workflow, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "in.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        read_inputs(workflow, task=None, pairs=[], file=file)


def test_a_folder_in_place_of_an_inputs_file_is_refused(workflow: Workflow, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a readable file"):
        read_inputs(workflow, task=None, pairs=[], file=tmp_path)


def test_a_word_that_is_no_file_and_no_shipped_workflow_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"expected a file, or a shipped workflow .*found neither"):
        load_workflow("no-such-thing")


def test_a_shipped_workflow_and_its_script_go_by_name() -> None:
    script = find_script(Path("quickstart"))
    assert load_workflow("quickstart").spec.name == "quickstart"
    assert script is not None
    assert script.name == "quickstart.rehearsal.yaml"


def test_a_script_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: expected a file"):
        find_script(Path("none.yaml"))


def test_answers_are_by_node() -> None:
    assert read_approvals(["a", "plan"], ["b"]) == {"a": True, "plan": True, "b": False}


def test_nothing_is_approved_and_rejected_at_once() -> None:
    with pytest.raises(ConfigError, match="approved and rejected at once: a"):
        read_approvals(["a"], ["a", "b"])
