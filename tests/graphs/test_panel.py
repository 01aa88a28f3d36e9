"""What the compiler says of a panel before it runs: what it may not do, what it costs, what it passes on."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from planloom.configs.nodes import NodeSpec, node_json, to_nodes
from planloom.configs.spec import RouteSpec
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, Node, NodeId, Plan, PlanPatch, ToolName
from planloom.graphs.estimate import estimate
from planloom.graphs.lint import Facts, lint_node
from planloom.graphs.patch import Bounds, lint_patch
from planloom.graphs.taint import Labels
from planloom.models.prices import Price
from planloom.tools.base import Tool


def tool(name: str, effect: Effect) -> Tool:
    async def call(args: JsonObject) -> Json:
        return None

    return Tool(name=ToolName(name), description="", parameters={}, effect=effect, call=call, trust="untrusted")


FACTS = Facts(
    inputs=frozenset({"mail"}),
    tools={"web": (tool("web", "read"),), "send": (tool("send", "write"),)},
    rungs=frozenset({"mini", "big"}),
    max_nodes=9,
    by_hand=True,
)
WRITTEN: dict[str, Any] = {
    "goal": "Judge it",
    "panel": {"members": {"a": {"role": "Reads."}, "b": {"role": "Doubts.", "model": "mini"}}},
}


def node(changes: dict[str, Any] | None = None, **panel: Any) -> Node:
    spec = {**WRITTEN, **(changes or {}), "panel": {**WRITTEN["panel"], **panel}}
    return to_nodes({"n": NodeSpec.model_validate(spec)})[NodeId("n")]


@dataclass(frozen=True)
class Case:
    id: str
    node: Node
    code: str
    field: str
    says: str
    facts: Facts = FACTS


CASES = [
    Case("a tool that writes", node({"tools": ["web", "send"]}), "grant_too_wide", "tools", "may not write"),
    Case("an effect that writes", node({"effect": "write"}), "grant_too_wide", "tools", "may not write"),
    Case("too few calls", node({"max_calls": 2}), "bad_node", "max_calls", "takes 3 calls"),
    Case("a moderator's rung", node(moderator={"model": "bg"}), "unknown_model", "panel.moderator.model", "'big'?"),
    Case(
        "a member's rung",
        node(members={"a": {"role": "x", "model": "no"}, "b": {"role": "y"}}),
        "unknown_model",
        "panel.members.a.model",
        "no model 'no'",
    ),
    Case(
        "a reference in a role",
        node(members={"a": {"role": "Reads ${inputs.mail}"}, "b": {"role": "y"}}),
        "bad_expression",
        "panel.members.a",
        "not filled in here",
    ),
    Case(
        "a reference for the moderator",
        node(moderator={"instructions": "Mind ${item}"}),
        "bad_expression",
        "panel.moderator",
        "not filled in here",
    ),
    Case("samples", node({"checks": [{"agree": {}}]}), "bad_node", "checks", "compares its claims already"),
    Case("no models", node(), "unknown_model", "goal", "needs a model", replace(FACTS, rungs=frozenset[str]())),
    Case("a planner's", node(), "grant_too_wide", "panel", "planner.panels", replace(FACTS, by_hand=False)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_faulty_panel_is_refused_with_its_code_and_place(case: Case) -> None:
    found = {(finding.code, finding.field): finding.message for finding in lint_node(case.node, case.facts)}
    assert case.says in found[case.code, case.field]  # type: ignore[index]


def test_a_sound_panel_has_no_findings_and_a_planner_may_write_one_where_the_workflow_says_so() -> None:
    assert lint_node(node({"tools": ["web"]}), FACTS) == []
    assert lint_node(node(), replace(FACTS, by_hand=False, panels=True)) == []


def test_a_panel_that_is_written_out_for_a_planner_reads_back_as_the_same_work() -> None:
    given = node({"output": {"type": "object"}}, rounds=2, on_contradiction="escalate", moderator={"model": "big"})
    written = node_json(given)
    del written["id"]
    assert to_nodes({"n": NodeSpec.model_validate(written)})[NodeId("n")].digest == given.digest


def test_by_default_a_panel_may_call_twice_what_its_rounds_take() -> None:
    assert (node().max_calls, node(rounds=5).max_calls, node({"max_calls": 9}).max_calls) == (18, 30, 9)


def test_a_patch_may_not_drop_or_change_the_panel_that_a_person_wrote() -> None:
    by_hand = node()
    plan = Plan(version=1, nodes={by_hand.id: by_hand})
    bounds = Bounds(plan=plan, failed=frozenset(plan.nodes), by_hand=plan.nodes, facts=replace(FACTS, panels=True))
    for other in (replace(by_hand, panel=None, kind="worker"), node(rounds=1)):
        patch = PlanPatch(nodes={other.id: other})
        assert [finding.message for finding in lint_patch(patch, bounds)] == ["a person demanded this panel; keep it"]
    assert list(lint_patch(PlanPatch(nodes={by_hand.id: replace(by_hand, goal="Judge it well")}), bounds)) == []


def test_the_output_of_a_panel_is_as_untrusted_as_what_its_members_may_read() -> None:
    specs = {
        "plain": node(),
        "reads": node({"tools": ["web"]}),
        "given": node({"with": {"mail": "${inputs.mail}"}}),
        "behind": node({"with": {"x": "${nodes.reads.output}"}}),
    }
    nodes = {NodeId(name): replace(spec, id=NodeId(name)) for name, spec in specs.items()}
    labels = Labels(nodes, FACTS.tools, frozenset({"mail"}))
    found = {name: set(labels.output(NodeId(name))) for name in specs}
    assert found == {"plain": set(), "reads": {"web"}, "given": {"inputs.mail"}, "behind": {"web"}}


def test_the_estimate_counts_each_voice_at_its_own_price() -> None:
    prices = {"mini": Price.flat(1.0, 1.0), "big": Price.flat(10.0, 10.0)}
    cheap, dear = (
        estimate(node(), ("mini", "big"), prices, RouteSpec(retry=0)),
        estimate(node(moderator={"model": "big"}), ("mini",), prices, RouteSpec(retry=0)),
    )
    assert (cheap.calls_low, cheap.calls_high, dear.calls_low, dear.calls_high) == (3, 36, 3, 18)
    assert cheap.usd_low is not None
    assert dear.usd_low == pytest.approx(cheap.usd_low * 12 / 3)
    assert dear.usd_high is not None
    assert dear.usd_high / dear.calls_high == pytest.approx((cheap.usd_high or 0) / cheap.calls_high)
