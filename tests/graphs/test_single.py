"""A chain of workers as one worker: nothing that a node had is lost, or it stays a node of its own."""

from collections.abc import Mapping

import pytest

from planloom.configs.nodes import NodeSpec
from planloom.core.check import CodeCheck, ExprCheck, JudgeCheck, RegexCheck
from planloom.core.expr import evaluate
from planloom.core.json import Json
from planloom.core.plan import NodeId
from planloom.core.refs import find_refs
from planloom.graphs.compile import Compiled, compile_plan
from planloom.graphs.lint import Facts
from planloom.graphs.single import Single, as_single
from planloom.graphs.step import apart

FACTS = Facts(inputs=frozenset({"text"}), tools={}, rungs=frozenset({"mini", "big"}), max_nodes=99, by_hand=False)
ROWS: Json = {"type": "object", "properties": {"rows": {"type": "array"}}, "required": ["rows"]}
CHAIN: Mapping[str, dict[str, object]] = {
    "find": {
        "goal": "Find the rows",
        "with": {"source": "${inputs.text}"},
        "output": ROWS,
        "checks": [{"expr": "len(output.rows) > 0 and len(source) > 2", "message": "no rows"}],
    },
    "add-up": {
        "goal": "Add ${nodes.find.output.rows} up",
        "with": {"rows": "${nodes.find.output.rows}", "source": "the desk"},
        "output": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
        "checks": [{"expr": "output.sum == sum(rows) and source == 'the desk'"}, {"code": "assert rows and output"}],
    },
    "say": {
        "goal": "Say it",
        "needs": ["find"],
        "with": {"sum": "${nodes.add-up.output.sum}"},
        "checks": [{"regex": "[0-9]+"}, {"judge": "It is polite."}],
    },
}


def compiled(nodes: Mapping[str, dict[str, object]], output: Json = None) -> Compiled:
    made = [NodeSpec.model_validate(node).to_node(NodeId(name)) for name, node in nodes.items()]
    return compile_plan(made, output, FACTS)


def single(nodes: Mapping[str, dict[str, object]], output: Json = None, *, asked: bool = False) -> Single:
    return as_single(compiled(nodes, output), FACTS, asked=asked)


def kept(found: Single) -> dict[str | None, str]:
    return {warning.node_id: warning.message for warning in found.compiled.warnings if warning.code == "kept_apart"}


def test_a_chain_becomes_one_worker_that_returns_every_result_in_its_own_form() -> None:
    found = single(CHAIN)
    (worker,) = found.compiled.plan.nodes.values()
    assert [(event.into, event.nodes, event.reason) for event in found.merged] == [
        ("find_to_say", ("find", "add-up", "say"), "chain")
    ]
    assert worker.output == {
        "type": "object",
        "properties": {"find": ROWS, "add_up": CHAIN["add-up"]["output"], "say": {"type": "string"}},
        "required": ["find", "add_up", "say"],
        "additionalProperties": False,
    }
    assert worker.inputs == {"source": "${inputs.text}", "add_up_source": "the desk"}
    assert found.compiled.plan.output == "${nodes.find_to_say.output.say}"
    assert worker.goal.splitlines()[2] == (
        "Step `add_up`: Add the result of step `find.rows` up Here `rows` is the result of step `find.rows`, "
        "`source` is `add_up_source`."
    )
    assert not list(find_refs(worker.goal))
    assert kept(found) == {}


@pytest.mark.parametrize(
    ("output", "holds"),
    [
        ({"find": {"rows": [1, 2]}, "add_up": {"sum": 3}, "say": "3"}, [True, True]),
        ({"find": {"rows": []}, "add_up": {"sum": 0}, "say": "0"}, [False, True]),
        ({"find": {"rows": [1, 2]}, "add_up": {"sum": 4}, "say": "4"}, [True, False]),
    ],
)
def test_every_check_looks_where_its_result_stands_now(output: Json, holds: list[bool]) -> None:
    (worker,) = single(CHAIN).compiled.plan.nodes.values()
    names = {"output": output, "source": "text", "add_up_source": "the desk", "inputs": {"text": "text"}}
    exprs = [check for check in worker.checks if isinstance(check, ExprCheck)]
    assert [bool(evaluate(check.expr, names)) for check in exprs] == holds
    assert exprs[0].message == "no rows"
    others = [check for check in worker.checks if not isinstance(check, ExprCheck)]
    assert others == [
        CodeCheck(
            code='rows = output["find"]["rows"]\nsource = add_up_source\noutput = output["add_up"]\n'
            "assert rows and output"
        ),
        RegexCheck(pattern="[0-9]+", path="output.say"),
        JudgeCheck(judge="Only step `say` and its result count here. It is polite."),
    ]


APART: Mapping[str, dict[str, object]] = {
    "it is a code node": {"code": "1"},
    "it has a map": {"goal": "g", "map": [1]},
    "it has a condition": {"goal": "g", "when": "true"},
    "it waits for approval": {"goal": "g", "approve": True},
    "it writes": {"goal": "g", "effect": "write"},
    "its samples must agree": {"goal": "g", "checks": [{"agree": {"samples": 3, "quorum": 2}}]},
    "it recalls or remembers": {"goal": "g", "remember": "s"},
    "it has a cap or time of its own": {"goal": "g", "timeout": "1m"},
    "a check looks at the whole answer": {"goal": "g", "checks": [{"text": "final_answer"}]},
    "its schema refers to parts of itself": {"goal": "g", "output": {"$ref": "#/$defs/a", "$defs": {"a": {}}}},
}


@pytest.mark.parametrize("reason", APART)
def test_what_would_lose_something_stays_a_node_of_its_own(reason: str) -> None:
    assert apart(NodeSpec.model_validate(APART[reason]).to_node(NodeId("n"))) == reason


def test_around_a_node_that_stays_the_neighbours_become_one_and_references_follow() -> None:
    middle: dict[str, object] = {"code": "len(rows)", "with": {"rows": "${nodes.b.output}"}}
    chain: dict[str, dict[str, object]] = {
        "a": {"goal": "A"},
        "b": {"goal": "B", "with": {"a": "${nodes.a.output}"}},
        "count": middle,
        "c": {"goal": "C ${nodes.count.output}"},
        "d": {"goal": "D", "with": {"c": "${nodes.c.output}", "first": "${nodes.a.output}"}},
    }
    found = single(chain, {"a": "${nodes.a.output}", "text": "It is ${nodes.d.output}."})
    plan = found.compiled.plan
    assert list(plan.nodes) == ["a_to_b", "count", "c_to_d"]
    assert plan.nodes[NodeId("count")].inputs == {"rows": "${nodes.a_to_b.output.b}"}
    assert plan.nodes[NodeId("c_to_d")].inputs == {"first": "${nodes.a_to_b.output.a}"}
    assert plan.output == {"a": "${nodes.a_to_b.output.a}", "text": "It is ${nodes.c_to_d.output.d}."}
    assert kept(found) == {"count": "it stays a node of its own: it is a code node"}


def test_a_plan_that_is_no_chain_is_left_alone_unless_the_planner_asks() -> None:
    plan: dict[str, dict[str, object]] = {
        "a": {"goal": "A"},
        "b": {"goal": "B"},
        "c": {"goal": "C", "needs": ["a", "b"]},
    }
    assert single(plan).merged == ()
    assert [(event.nodes, event.reason) for event in single(plan, asked=True).merged] == [(("a", "b", "c"), "planner")]
    assert single({"only": {"goal": "A"}}, asked=True).merged == ()


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"with": {"x": "see ${nodes.a.output}"}}, "put together from an earlier result"),
        ({"with": {"x": "${nodes.a.output}"}, "checks": [{"expr": "all(x for x in output)"}]}, "a name of its own"),
    ],
)
def test_neighbours_that_cannot_be_told_as_steps_stay_apart_and_say_why(second: dict[str, object], why: str) -> None:
    found = single({"a": {"goal": "A"}, "b": {"goal": "B", **second}, "c": {"goal": "C", "needs": ["b"]}})
    assert list(found.compiled.plan.nodes) == ["a", "b", "c"]
    assert why in kept(found)["b"]


def test_neighbours_on_different_models_stay_apart() -> None:
    found = single({"a": {"goal": "A", "model": "mini"}, "b": {"goal": "B", "model": "big", "needs": ["a"]}})
    assert found.merged == ()
    assert "another model" in kept(found)["b"]
