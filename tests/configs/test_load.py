"""Workflows from files, text, Python and journals; inputs; findings with line and column."""

import json
from pathlib import Path

import pytest
import yaml

from planloom.configs import load
from planloom.configs.compose import compose
from planloom.configs.load import Workflow, shipped_names
from planloom.configs.nodes import NodeSpec
from planloom.configs.plain import plain
from planloom.configs.spec import RungSpec, WorkflowSpec
from planloom.configs.validate import check
from planloom.core.errors import ConfigError
from planloom.core.json import Json
from planloom.core.plan import Finding, NodeId

TEXT = """\
version: 1
name: w
inputs:
  topic: {type: string}
  depth: {type: integer, default: 2}
  tags: {type: array, items: {type: string}, default: []}
models:
  mini: {model: "openai:a", timeout: "${env:WAIT:-20}", base_url: "${env:URL}"}
nodes:
  draft:
    goal: Write about ${inputs.topic} with $${braces}
    with:
      rows: 3
    checks:
      - agree: {samples: 3}
      - expr: len(output) > 3
output: "${nodes.draft.output}"
"""
ENV = {"URL": "http://localhost:1/v1"}


@pytest.fixture
def workflow() -> Workflow:
    return Workflow.from_text(TEXT, source="w.yaml", env=ENV)


def test_a_file_is_loaded_with_its_folder_as_base(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("\ufeff" + TEXT, encoding="utf-8")
    workflow = Workflow.from_yaml(tmp_path / "w.yaml", env=ENV)
    assert workflow.base_dir == tmp_path.resolve()
    assert workflow.source == str(tmp_path / "w.yaml")
    assert list(workflow.spec.nodes) == ["draft"]


def test_fields_are_found_by_line_and_column(workflow: Workflow) -> None:
    assert workflow.locate("nodes.draft.checks[1].expr") == (16, 15)
    assert workflow.locate("nodes.draft.with.rows") == (13, 13)
    assert workflow.locate("nodes.draft.with.rows.deeper[3]") == (13, 13)
    assert workflow.locate("nodes.draft.with") == (12, 5)
    assert workflow.locate("nodes.nowhere") == (9, 1)
    assert Workflow.from_dict({"version": 1, "name": "w"}).locate("name") == (0, 0)


def test_findings_of_the_compiler_get_their_line_and_count_checks_as_the_file_does(workflow: Workflow) -> None:
    expr = Finding(code="bad_expression", message="no", node_id=NodeId("draft"), field="checks[0].expr")
    element = Finding(code="bad_expression", message="no", node_id=NodeId("draft[7]"), field="with.rows")
    output = Finding(code="unknown_node", message="no", field="output")
    problems = workflow.as_config_error([output, expr, element]).problems
    assert [(problem.field, problem.line, problem.column) for problem in problems] == [
        ("nodes.draft.with.rows", 13, 13),
        ("nodes.draft.checks[1].expr", 16, 15),
        ("output", 17, 9),
    ]


def test_yes_no_on_and_dates_stay_text() -> None:
    data: dict[str, Json] = {"a": "NO", "b": "yes", "c": "on", "d": "2024-01-01", "e": "1:30", "f": "0o", "g": "1_000"}
    document = compose("".join(f"{key}: {value}\n" for key, value in data.items()), "t")
    assert document.data == data


def test_numbers_are_read_as_yaml_1_2_says() -> None:
    document = compose("[1, -2, 0o17, 0x1F, 1.5, .5, 1e3, 010, true, null, ~, '1', !!str 1, !!float 2]", "t")
    assert document.data == [1, -2, 15, 31, 1.5, 0.5, 1000.0, 10, True, None, None, "1", "1", 2]


def test_both_parsers_of_pyyaml_give_the_same() -> None:
    fast, pure = compose(TEXT, "t"), compose(TEXT, "t", loader=yaml.SafeLoader)
    assert (fast.data, fast.positions, fast.keys) == (pure.data, pure.positions, pure.keys)
    for broken in ("a: \t- b: @", "a: 'x", 'a: "\\UFFFFFFFF"', "a: [", "a: 1\na: 2"):
        assert compose(broken, "t", loader=yaml.SafeLoader).problems


def test_aliases_stand_for_whole_values() -> None:
    text = TEXT.replace("agree: {samples: 3}", "agree: &a {samples: 3}").replace(
        "rows: 3", "rows: &r [1, 2]\n      more: *r"
    )
    workflow = Workflow.from_text(text, env=ENV)
    assert workflow.spec.nodes["draft"].with_ == {"rows": [1, 2], "more": [1, 2]}


def test_variables_are_filled_in_and_numbers_read_from_them(workflow: Workflow) -> None:
    rung = workflow.spec.models["mini"]
    assert (rung.timeout, rung.base_url) == (20.0, "http://localhost:1/v1")
    text = TEXT.replace(
        '"openai:a"', '"openai:a", max_parallel: "${env:N}", retries: "${env:R}", price: {input: "${env:P}", output: 0}'
    )
    rung = Workflow.from_text(text, env={**ENV, "N": "4", "R": "2", "P": "0.5"}).spec.models["mini"]
    assert (rung.max_parallel, rung.retries, rung.price and rung.price.input) == (4, 2, 0.5)


def test_an_empty_variable_takes_the_default_and_else_counts_as_set() -> None:
    text = 'version: 1\nname: w\ndescription: "<${env:A:-x}${env:A}${env:B:-}$${env:A}>"\n'
    assert Workflow.from_text(text, env={"A": ""}).spec.description == "<x${env:A}>"


def test_text_from_the_environment_cannot_become_a_reference() -> None:
    text = TEXT.replace("goal: Write", "goal: ${env:SAY} Write")
    goal = Workflow.from_text(text, env={**ENV, "SAY": "${inputs.topic}"}).spec.nodes["draft"].goal
    assert goal == "$${inputs.topic} Write about ${inputs.topic} with $${braces}"


def test_the_journal_gets_the_text_as_written_and_rebuilds_the_same_workflow(workflow: Workflow) -> None:
    stored = json.dumps(workflow.to_json())
    assert "localhost" not in stored
    assert "${env:URL}" in stored
    again = Workflow.from_json(json.loads(stored), workflow.base_dir, env=ENV)
    assert (again.spec, again.base_dir) == (workflow.spec, workflow.base_dir)
    assert again.to_json() == workflow.to_json()
    assert "localhost" not in repr(workflow)


def test_the_process_environment_is_used_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "http://there/v1")
    assert Workflow.from_text(TEXT).spec.models["mini"].base_url == "http://there/v1"


def test_python_data_goes_through_the_same_checks() -> None:
    workflow = Workflow.from_dict(
        {"version": 1, "name": "w", "nodes": {"a": {"goal": "x", "needs": ()}}, "models": {"m": {"model": "openai:x"}}}
    )
    assert workflow.source == "<python>"
    with pytest.raises(ConfigError) as caught:
        Workflow.from_dict({"version": 1, "name": "w", "ladder": ["x"], "output": {1: object()}, "nope": float("nan")})
    assert [problem.field for problem in caught.value.problems] == ["output", "nope", "ladder[0]"]


def test_python_data_that_holds_itself_is_refused() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    with pytest.raises(ConfigError, match="levels of nesting"):
        Workflow.from_dict({"version": 1, "name": "w", "output": loop})


def test_a_workflow_built_from_the_models_is_the_same_workflow() -> None:
    spec = WorkflowSpec(
        version=1,
        name="w",
        models={"m": RungSpec(model="openai:x", timeout=5)},
        nodes={"a": NodeSpec(goal="g", with_={"x": 1})},
    )
    assert Workflow.from_spec(spec).spec == spec


def test_inputs_are_checked_and_defaults_filled_in(workflow: Workflow) -> None:
    assert workflow.check_inputs({"topic": "tea", "depth": 3}) == {"topic": "tea", "depth": 3, "tags": []}


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({}, "inputs.topic", "found none given"),
        ({"topic": 3}, "inputs.topic", "JSON type string, found 3"),
        ({"topic": "x", "tags": ["a", 2]}, "inputs.tags[1]", "JSON type string"),
        ({"topic": "x", "dept": 1}, "inputs.dept", 'did you mean "depth"?'),
        ({"topic": "x", "depth": True}, "inputs.depth", "JSON type integer"),
        ({"topic": "x", "depth": float("inf")}, "inputs.depth", "finite"),
    ],
)
def test_wrong_inputs_name_the_input(workflow: Workflow, given: dict[str, Json], field: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workflow.check_inputs(given)
    assert caught.value.path == "w.yaml"
    assert any(problem.field == field and says in problem.message for problem in caught.value.problems)


def test_shipped_workflows_load_by_name_and_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in shipped_names():
        assert Workflow.shipped(name).base_dir == Path(load.__file__).resolve().parent
    with pytest.raises(ConfigError, match="no shipped workflow"):
        Workflow.shipped("../secrets")


def test_without_an_environment_nothing_is_filled_in_and_the_rest_is_checked() -> None:
    written = {"goal": "say ${env:HOME:-x} and $${y}", "max_calls": 2}
    checked = check(NodeSpec, plain(written, "plan"), env=None)
    assert checked.spec is not None
    assert checked.spec.goal == written["goal"]
    half = check(NodeSpec, plain({"goal": "\ud800", "tools": [3]}, "plan"), env=None)
    assert [problem.field for problem in half.problems] == ["goal", "tools[0]"]


def test_relative_paths_start_at_the_base_also_after_the_journal(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "w.yaml").write_text("version: 1\nname: w\nbase: ..\n")
    loaded = Workflow.from_yaml(tmp_path / "kept" / "w.yaml")
    assert loaded.base_dir == tmp_path.resolve()
    assert Workflow.from_json(loaded.to_json(), loaded.base_dir).base_dir == tmp_path.resolve()
    with pytest.raises(ConfigError, match="base: expected a folder relative to this file"):
        Workflow.from_text('version: 1\nname: w\nbase: "a\\0b"\n')
