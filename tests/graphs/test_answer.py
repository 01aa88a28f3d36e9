"""What a run hands over when nothing can move any more, and what it is called."""

from dataclasses import dataclass

import pytest

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.outcome import Failed, FailureKind
from planloom.core.plan import Node, NodeId, Plan, RunId
from planloom.core.view import RunView
from planloom.graphs.answer import Answer, answer

A, B, C = (NodeId(name) for name in "abc")
CHAIN = (Node(id=A), Node(id=B, inputs={"x": "${nodes.a.output}"}))
PAIR = (Node(id=A), Node(id=B))


def done(node: NodeId, output: Json) -> ev.NodeCommitted:
    return ev.NodeCommitted(node_id=node, plan_version=1, input_digest="d", output=output, attempt=1)


def failed(node: NodeId, message: str) -> ev.NodeFailed:
    return ev.NodeFailed(node_id=node, plan_version=1, failed=Failed(kind=FailureKind.TOOL, message=message))


def skipped(node: NodeId) -> ev.NodeSkipped:
    return ev.NodeSkipped(node_id=node, plan_version=1, reason="when")


def run(nodes: tuple[Node, ...], *events: ev.AnyEvent, output: Json = None) -> RunView:
    started = ev.RunStarted(
        run_id=RunId("r"), name="n", workflow={}, base_dir="/", inputs={"task": "t"}, rehearsal=False
    )
    plan = Plan(version=1, nodes={node.id: node for node in nodes}, output=output)
    return RunView([started, ev.PlanReady(plan=plan, purpose="plan"), *events])


@dataclass(frozen=True)
class Case:
    id: str
    view: RunView
    status: ev.Status
    output: Json
    error: str = ""
    planning_error: str = ""
    stopped: str = ""


BOTH: Json = {"a": "${nodes.a.output.x}", "b": ["${nodes.b.output}", "for ${inputs.task}"]}
CASES = [
    Case("template", run(PAIR, done(A, {"x": 1}), done(B, 2), output=BOTH), "done", {"a": 1, "b": [2, "for t"]}),
    Case("last node", run(CHAIN, done(A, 1), done(B, 2)), "done", 2),
    Case("all last nodes", run(PAIR, done(A, 1), done(B, 2)), "done", {"a": 1, "b": 2}),
    Case(
        "skipped reads as null",
        run(PAIR, done(A, {"x": 1}), skipped(B), output=BOTH),
        "done",
        {"a": 1, "b": [None, "for t"]},
    ),
    Case("everything skipped", run(PAIR, skipped(A), skipped(B)), "done", {"a": None, "b": None}),
    Case("literal", run(PAIR, done(A, 1), done(B, 2), output={"k": 1}), "done", {"k": 1}),
    Case(
        "path is missing",
        run(PAIR, done(A, {"y": 1}), done(B, 2), output=BOTH),
        "failed",
        {"a": None, "b": [2, "for t"]},
        "${nodes.a.output.x}: no 'x' in an object with y",
    ),
    Case(
        "one failed",
        run(PAIR, done(A, {"x": 1}), failed(B, "broke"), output=BOTH),
        "partial",
        {"a": 1, "b": [None, "for t"]},
        "b: broke",
    ),
    Case(
        "what is wanted failed",
        run(PAIR, done(A, 1), failed(B, "broke"), output="${nodes.b.output}"),
        "failed",
        None,
        "b: broke",
    ),
    Case("last failed", run(CHAIN, done(A, 1), failed(B, "broke")), "failed", None, "b: broke"),
    Case("first failed", run(CHAIN, failed(A, "broke")), "failed", None, "a: broke"),
    Case("all failed", run(PAIR, failed(A, "one"), failed(B, "two")), "failed", None, "a: one; b: two"),
    Case(
        "could not run",
        run(PAIR, done(A, {"x": 1}), output=BOTH),
        "partial",
        {"a": 1, "b": [None, "for t"]},
        "not every node could run",
    ),
    Case(
        "stopped",
        run(PAIR, done(A, {"x": 1}), failed(B, "cut"), output=BOTH),
        "partial",
        {"a": 1, "b": [None, "for t"]},
        "budget time; b: cut",
        stopped="budget time",
    ),
    Case("stopped at the very end", run(PAIR, done(A, 1), done(B, 2)), "done", {"a": 1, "b": 2}, stopped="budget time"),
    Case(
        "rejected", run(PAIR), "failed", None, "a human rejected the plan", planning_error="a human rejected the plan"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_run_ends_with_what_it_has_and_says_what_it_has_not(case: Case) -> None:
    found = answer(case.view, planning_error=case.planning_error, stopped=case.stopped)
    assert found == Answer(case.status, case.output, case.error)


@pytest.mark.parametrize(
    ("planning_error", "stopped", "error"),
    [("no plan: refused", "", "no plan: refused"), ("", "budget usd", "budget usd"), ("", "", "no plan")],
)
def test_a_run_without_a_plan_has_failed_and_says_why(planning_error: str, stopped: str, error: str) -> None:
    assert answer(RunView(), planning_error=planning_error, stopped=stopped) == Answer("failed", None, error)


def test_the_result_of_a_removed_node_is_not_handed_over() -> None:
    view = run(PAIR, done(A, 1), failed(B, "broke"))
    mended = Plan(version=2, nodes={A: Node(id=A), C: Node(id=C)}, output=None)
    for event in (ev.PlanReady(plan=mended, purpose="replan"), done(C, 3)):
        view.apply(event)
    assert answer(view, planning_error="", stopped="") == Answer("done", {"a": 1, "c": 3}, "")


def test_a_failure_the_planner_left_alone_is_still_the_reason() -> None:
    view = run((*PAIR, Node(id=C)), done(A, 1), failed(B, "broke"), failed(C, "broke too"))
    mended = Plan(
        version=2, nodes={A: Node(id=A), B: Node(id=B, goal="new"), C: Node(id=C)}, output="${nodes.b.output}"
    )
    for event in (ev.PlanReady(plan=mended, purpose="replan"), done(B, 2)):
        view.apply(event)
    assert answer(view, planning_error="", stopped="") == Answer("partial", 2, "c: broke too")
