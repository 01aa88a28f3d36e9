"""Tool, code, map and conditional nodes; samples that must agree; what a failure stops."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.core.errors import ConfigError
from planloom.core.events import NodeFailed
from planloom.core.plan import NodeId
from planloom.engine import Engine

NUMBER = "output: {type: object, properties: {n: {type: integer}}, required: [n]}"


def rules(*items: object) -> str:
    return json.dumps({"rehearsal": 1, "rules": [*items]})


async def test_tool_code_and_map_nodes_need_no_model(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    def double(x: int) -> int:
        """Double a number."""
        return 2 * x

    workflow = make_workflow(
        """
inputs: {xs: {type: array, default: [1, 2, 3]}}
nodes:
  each: {map: "${inputs.xs}", tool: double, with: {x: "${item}"}}
  total: {code: "sum(xs) + offset", with: {xs: "${nodes.each.output}", offset: 100}, checks: [{expr: "output == 112"}]}
output: {total: "${nodes.total.output}", text: "all of ${nodes.each.output}"}
""",
        models="",
    )
    async with Engine(journal=tmp_path / "j.db", tools={"double": double}) as engine:
        result = await engine.run(workflow)
    assert result.status == "done", result.error
    assert result.output == {"total": 112, "text": "all of [2, 4, 6]"}
    assert result.usage.calls == 0


async def test_a_false_condition_skips_a_node_and_those_behind_it(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow(
        """
inputs: {go: {type: boolean, default: false}}
nodes:
  maybe: {code: "1", when: "inputs.go"}
  behind: {code: "x", with: {x: "${nodes.maybe.output}"}}
  perhaps: {code: "1", when: "inputs.go", on_skip: "null"}
  reads_null: {code: "x is None", with: {x: "${nodes.perhaps.output}"}}
output: "${nodes.reads_null.output}"
"""
    )
    async with Engine(journal=tmp_path / "j.db", base_url="http://127.0.0.1:9/v1") as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", True)
    assert {i: n.state for i, n in result.nodes.items()} == {
        "maybe": "skipped",
        "behind": "skipped",
        "perhaps": "skipped",
        "reads_null": "done",
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("assert output == 3", "done"),
        ("output == 3", "done"),
        ("result = {1, 2}\noutput == 4", "failed"),
        ("x = output; x == 3  # right", "done"),
        ("print(output)", "done"),
        ("0", "failed"),
        ("assert (\n  output ==\n  4\n), 'four'", "failed"),
        ("import decimal\ndecimal.Decimal(output) == 3", "done"),
    ],
)
async def test_a_code_check_passes_unless_it_raises_or_ends_in_something_false(
    make_workflow: MakeWorkflow, tmp_path: Path, code: str, status: str
) -> None:
    nodes = json.dumps({"a": {"code": "1 + 2", "checks": [{"code": code}]}})
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(make_workflow(f"nodes: {nodes}\n", models=""))
    assert result.status == status, result.error


async def test_a_map_fails_as_a_whole_once_and_keeps_its_good_elements(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow("nodes: {a: {map: [1, 0, 2, 0], code: 4 // x, with: {x: '${item}'}}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(workflow)
        events = await engine.history(result.run_id)
    states = [result.nodes[NodeId(f"a[{index}]")].state for index in range(4)]
    assert states == ["done", "failed", "done", "failed"]
    assert sum(isinstance(event, NodeFailed) and event.node_id == "a" for event in events) == 1
    assert result.error.startswith("a[1]: code: line 1: ZeroDivisionError")
    assert "; a[3]: " in result.error


async def test_a_failed_node_stops_only_what_is_behind_it(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow(
        """
nodes:
  good: {code: "1"}
  bad: {code: "1 / 0"}
  behind: {code: "x", with: {x: "${nodes.bad.output}"}}
  more: {code: "x + 1", with: {x: "${nodes.good.output}"}}
output: {more: "${nodes.more.output}", behind: "${nodes.behind.output}"}
"""
    )
    async with Engine(journal=tmp_path / "j.db", base_url="http://127.0.0.1:9/v1") as engine:
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert result.output == {"more": 2, "behind": None}
    assert "ZeroDivisionError" in result.error
    assert result.nodes["behind"].state == "pending"


async def test_samples_that_agree_early_cost_no_more_calls(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(rules({"json": {"n": 7}}))
    workflow = make_workflow(
        f"nodes:\n  a: {{goal: count, {NUMBER}, checks: [{{agree: {{samples: 5, quorum: 3}}}}]}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert result.output == {"n": 7}
    assert len(server.requests) == 3


async def test_samples_that_cannot_agree_are_promoted(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    script = rules(
        {"when": {"model": "big"}, "json": {"n": 4}},
        *({"json": {"n": n}, "times": 1} for n in range(1, 4)),
    )
    server = await serve_model(script)
    workflow = make_workflow(
        f"nodes:\n  a: {{goal: count, {NUMBER}, checks: [{{agree: {{samples: 3, quorum: 2}}}}]}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert result.output == {"n": 4}
    assert server.models("a") == ["mini"] * 3 + ["big"] * 2
    assert [d.action for d in result.decisions] == ["promote"]


async def test_a_reply_that_breaks_its_schema_is_repaired_in_the_same_dialogue(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    script = rules({"when": {"contains": "does not fit the form"}, "json": {"n": 1}}, {"json": {"n": "one"}})
    server = await serve_model(script)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(f"nodes:\n  a: {{goal: count, {NUMBER}}}\n"))
    assert result.output == {"n": 1}
    assert len(result.nodes["a"].attempts) == 1
    assert result.nodes["a"].usage.calls == 2


async def test_a_worker_sees_only_the_tools_of_its_grant(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    script = rules(
        {
            "when": {"tool_results": 0},
            "tool_calls": [{"name": "files__write", "args": {"path": "x", "text": "evil"}}],
        },
        {"text": "{{tool_result}}"},
    )
    server = await serve_model(script)
    workflow = make_workflow(
        "tools: {py: {python: {}}, files: {files: {root: .}, access: write}}\n"
        "nodes: {a: {goal: compute, tools: [py]}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert "has no tool" in str(result.output)
    assert not (tmp_path / "x").exists()
    offered = [tool["function"]["name"] for tool in server.requests[0]["body"]["tools"]]  # type: ignore[index,call-overload,union-attr]
    assert offered == ["py"]


async def test_a_money_cap_without_a_price_is_an_error_before_anything_runs(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow(
        "budget: {usd: 1}\nnodes: {a: {goal: x}}\n", models='models: {m: {model: "openai:nobody-knows"}}\n'
    )
    async with Engine(journal=tmp_path / "j.db", base_url="http://127.0.0.1:9/v1") as engine:
        with pytest.raises(ConfigError, match=r"<text>:3:.*models.m.model: no price is known"):
            await engine.run(workflow)
        assert await engine.runs() == []


async def test_a_dead_model_server_ends_in_an_error_that_names_it(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    models = 'models: {m: {model: "openai:m", retries: 0}}\n'
    async with Engine(journal=tmp_path / "j.db", base_url="http://127.0.0.1:9/v1") as engine:
        result = await engine.run(make_workflow("nodes: {a: {goal: x}}\n", models=models))
    assert result.status == "failed"
    assert "127.0.0.1:9" in result.error


@pytest.mark.parametrize(
    ("node", "where"),
    [
        ("{code: '1', when: 'inputs.nope == 1'}", "when: no input 'nope'"),
        ("{code: '1', checks: [{expr: 'output == inputs.nope'}]}", "no input 'nope'"),
        ("{code: '1', map: hello}", "map: expected a list"),
        ("{code: ''}", "expected Python"),
        ("{code: '1', with: {class: 2}}", "with.class: 'class' is a word of Python"),
        ("{code: '1', checks: [{expr: \"matches('(', output)\"}]}", "is no pattern"),
        ("{tool: py, with: {code: 7}}", "with.code: expected"),
        ("{code: '1', checks: [{ref: 'nope.mod:f'}]}", r"checks\[0\].ref: there is no module 'nope'"),
        ("{code: '1', checks: [{agree: {samples: 3, quorum: 2}}]}", "asks none"),
    ],
)
async def test_what_cannot_work_is_found_before_anything_runs(
    make_workflow: MakeWorkflow, tmp_path: Path, node: str, where: str
) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=rf"<text>:\d+:\d+: nodes.a.*{where}"):
            await engine.check(make_workflow(f"tools: {{py: {{python: {{}}}}}}\nnodes: {{a: {node}}}\n", models=""))


async def test_a_map_over_a_huge_list_fails_before_it_starts(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow(
        "inputs: {xs: {type: array}}\nnodes: {a: {map: '${inputs.xs}', code: '1'}}\nroute: {then: stop}\n", models=""
    )
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(workflow, {"xs": [0] * 10_001})
    assert result.status == "failed"
    assert "map: expected a list of at most 10000 items, found 10001" in str(result.error)
