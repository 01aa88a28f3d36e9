"""A run folded from its events."""

import dataclasses
import json

import pytest

from planloom.core import events as ev
from planloom.core.outcome import Evidence, Failed, FailureKind, Usage
from planloom.core.plan import Finding, Node, NodeId, Plan, RunId
from planloom.core.view import RunView

A, B, C = NodeId("a"), NodeId("b"), NodeId("c")
STARTED = ev.RunStarted(
    at=100.0, run_id=RunId("r1"), name="n", workflow={}, base_dir="/", inputs={"x": 1}, rehearsal=True
)
EVIDENCE = Evidence(check="expr: x", passed=False, expected="1", found="2")
BAD = Failed(kind=FailureKind.CHECK, message="expected 1", evidence=(EVIDENCE,), output=2)
WARNING = Finding(code="unread_output", message="m", fatal=False)


def plan(version: int, *nodes: Node, output: str | None = None) -> ev.PlanReady:
    ready = Plan(version=version, nodes={node.id: node for node in nodes}, output=output)
    return ev.PlanReady(at=100.0, plan=ready, purpose="plan" if version == 1 else "replan", warnings=(WARNING,))


def attempt(node: NodeId, number: int, rung: str, at: float) -> ev.AttemptStarted:
    return ev.AttemptStarted(at=at, node_id=node, attempt=number, rung=rung, plan_version=1, input_digest="d")


def committed(node: NodeId, output: str, at: float = 103.0, version: int = 1) -> ev.NodeCommitted:
    return ev.NodeCommitted(at=at, node_id=node, plan_version=version, input_digest="d", output=output, attempt=1)


def ended_call(call: str, node: NodeId | None, number: int, usd: float) -> ev.CallEnded:
    usage = Usage(input_tokens=10, output_tokens=5, calls=1)
    return ev.CallEnded(
        at=102.0,
        call_id=call,
        node_id=node,
        attempt=number,
        rung="mini",
        model="m-1",
        usage=usage,
        cost_usd=usd,
        seconds=1,
    )


def started_call(call: str, node: NodeId | None, number: int) -> ev.CallStarted:
    return ev.CallStarted(
        at=101.0,
        call_id=call,
        node_id=node,
        attempt=number,
        role="worker",
        rung="mini",
        reserved_usd=1,
        reserved_tokens=9,
    )


def test_a_promoted_node_keeps_its_attempts_evidence_usage_and_cost() -> None:
    view = RunView(
        [
            STARTED,
            plan(1, Node(id=A, goal="ga"), Node(id=B, goal="gb")),
            attempt(A, 1, "mini", 100.5),
            started_call("c1", A, 1),
            ended_call("c1", A, 1, 0.25),
            ev.ToolCalled(at=102.0, node_id=A, attempt=1, tool="db", args={}, seconds=0.1),
            ev.AttemptEnded(at=102.0, node_id=A, attempt=1, seconds=1.5, evidence=(EVIDENCE,), failed=BAD),
            ev.Decided(at=102.0, node_id=A, attempt=1, action="promote", reason="check on mini", rung="big"),
            attempt(A, 2, "big", 102.0),
            started_call("c2", A, 2),
            ended_call("c2", A, 2, 0.5),
            ev.AttemptEnded(at=103.0, node_id=A, attempt=2, seconds=1.0),
            committed(A, "fine"),
            ended_call("c3", None, 1, 0.125),
            ev.RunEnded(at=110.0, status="partial", output={"o": 1}, error="b never ran"),
        ]
    )
    result = view.result()
    node = result.nodes[A]
    assert (result.run_id, result.name, result.status, result.output) == ("r1", "n", "partial", {"o": 1})
    assert (result.started_at, result.ended_at, result.seconds, result.error) == (100.0, 110.0, 10.0, "b never ran")
    assert (result.cost_usd, result.usage.calls, result.usage.tokens, result.rehearsal) == (0.875, 3, 45, True)
    assert (result.plan_version, result.findings, result.pending) == (1, (WARNING,), ())
    assert (node.state, node.output, node.goal, node.cost_usd, node.usage.calls) == ("done", "fine", "ga", 0.75, 2)
    assert (node.started_at, node.ended_at) == (100.5, 103.0)
    first, second = node.attempts
    assert (first.rung, first.ok, first.failure, first.message) == ("mini", False, "check", "expected 1")
    assert (first.evidence, first.tool_calls, first.model, first.cost_usd) == ((EVIDENCE,), 1, "m-1", 0.25)
    assert (second.rung, second.ok, second.failure, second.cost_usd) == ("big", True, "", 0.5)
    assert [(d.action, d.rung) for d in result.decisions] == [("promote", "big")]
    assert result.nodes[B].state == "pending"
    assert list(result.nodes) == ["a", "b"]


def test_models_of_a_rehearsal_server_make_the_run_a_rehearsal() -> None:
    real = dataclasses.replace(STARTED, rehearsal=False)
    call = ended_call("c1", None, 1, 0.0)
    assert not RunView([real, call]).result().rehearsal
    assert RunView([real, dataclasses.replace(call, model="rehearsal/m-1"), call]).result().rehearsal


def test_the_result_is_json_and_says_how_long_it_took() -> None:
    view = RunView([STARTED, plan(1, Node(id=A)), ev.RunEnded(at=101.5, status="done", output=[1, None])])
    record = json.loads(json.dumps(view.result().as_json(), allow_nan=False))
    assert (record["status"], record["output"], record["seconds"]) == ("done", [1, None], 1.5)
    assert record["nodes"]["a"]["state"] == "pending"
    assert record["usage"]["input_tokens"] == 0


def test_a_replan_keeps_what_is_done_and_removes_what_is_gone() -> None:
    view = RunView([STARTED, plan(1, Node(id=A, goal="1"), Node(id=B, goal="1"), Node(id=C, goal="1"))])
    for event in (
        committed(A, "kept"),
        ev.NodeFailed(at=104.0, node_id=B, plan_version=1, failed=BAD),
        ev.PlanRequested(at=104.0, purpose="replan", rung="big", failed=(B,)),
        plan(2, Node(id=A, goal="1"), Node(id=B, goal="2"), Node(id=NodeId("d"))),
    ):
        view.apply(event)
    states = {node_id: node.state for node_id, node in view.nodes.items()}
    assert states == {"a": "done", "b": "pending", "c": "removed", "d": "pending"}
    assert view.nodes[A].output == "kept"
    assert view.nodes[B].reason == ""
    assert view.replans == 1
    assert view.plan is not None
    assert view.plan.version == 2
    assert view.committed[A, "d"].output == "kept"


def test_what_failed_or_was_skipped_and_has_not_changed_stays_so() -> None:
    view = RunView([STARTED, plan(1, Node(id=A, goal="1"), Node(id=B, goal="1"), Node(id=C, goal="1"))])
    view.apply(ev.NodeFailed(node_id=A, plan_version=1, failed=BAD))
    view.apply(ev.NodeSkipped(node_id=B, plan_version=1, reason="when"))
    view.apply(plan(2, Node(id=A, goal="1"), Node(id=B, goal="1"), Node(id=C, goal="2")))
    assert [node.state for node in view.nodes.values()] == ["failed", "skipped", "pending"]
    assert view.nodes[A].reason == "expected 1"


def test_elements_of_a_removed_map_are_removed_with_it() -> None:
    element = NodeId("m[0]")
    view = RunView([STARTED, plan(1, Node(id=NodeId("m"), map=[1])), ev.NodeExpanded(node_id=NodeId("m"), elements=1)])
    view.apply(attempt(element, 1, "mini", 101.0))
    assert (view.nodes[NodeId("m")].state, view.nodes[NodeId("m")].elements) == ("running", 1)
    view.apply(plan(2, Node(id=A)))
    assert view.nodes[element].state == view.nodes[NodeId("m")].state == "removed"


def test_nodes_of_a_plan_still_being_written_are_provisional() -> None:
    view = RunView([STARTED, ev.NodePlanned(node=Node(id=A, goal="g")), ev.NodePlanned(node=Node(id=B))])
    assert set(view.provisional) == {A, B}
    assert view.nodes[A].goal == "g"
    view.apply(plan(1, Node(id=B)))
    assert view.provisional == {}
    assert view.nodes[A].state == "removed"


def test_a_call_that_was_reserved_and_not_settled_stays_open() -> None:
    view = RunView([STARTED, started_call("c1", A, 1), started_call("c2", A, 1), ended_call("c1", A, 1, 0.5)])
    assert list(view.open_calls) == ["c2"]
    assert view.cost_usd == 0.5


def test_an_interrupted_node_is_pending_after_a_resume() -> None:
    view = RunView([STARTED, plan(1, Node(id=A)), attempt(A, 1, "mini", 101.0)])
    view.apply(ev.RunEnded(at=102.0, status="cancelled", output=None, error="stopped"))
    assert view.status == "cancelled"
    view.apply(ev.RunResumed(at=200.0, interrupted=(A,)))
    result = view.result()
    assert (result.status, result.ended_at, result.error, result.nodes[A].state) == ("running", None, "", "pending")
    assert result.nodes[A].attempts[0].ok is False
    assert view.reopened_at == 200.0


def test_pauses_between_processes_are_not_active_time() -> None:
    events = [
        STARTED,
        plan(1, Node(id=A)),
        ev.RunEnded(at=103.0, status="waiting", output=None),
        ev.RunResumed(at=5000.0),
        ev.NodeSkipped(at=5002.0, node_id=A, plan_version=1, reason=""),
        ev.NodeSkipped(at=5001.0, node_id=B, plan_version=1, reason="its clock reading came late"),
        ev.RunEnded(at=5004.0, status="done", output=None),
    ]
    assert RunView(events).active_s == 7.0


def test_a_pause_between_two_attempts_is_no_work_of_the_node() -> None:
    events = [
        STARTED,
        plan(1, Node(id=A)),
        attempt(A, 1, "mini", 101.0),
        ev.AttemptEnded(at=103.0, node_id=A, attempt=1, seconds=2.0),
        ev.RunResumed(at=5000.0),
        attempt(A, 2, "mini", 5001.0),
        ev.AttemptEnded(at=5002.0, node_id=A, attempt=2, seconds=1.0),
        committed(A, "x", at=5002.0),
    ]
    assert RunView(events).nodes[A].worked_s == 3.0


def held(node: NodeId, bound_to: str) -> ev.NodeHeld:
    return ev.NodeHeld(at=101.0, node_id=node, reason="write", node_digest=bound_to)


def test_approvals_are_pending_until_they_are_given() -> None:
    view = RunView([STARTED, plan(1, Node(id=A), Node(id=B)), ev.PlanHeld(at=101.0, plan_digest="p"), held(A, "d1")])
    assert [(item.node_id, item.bound_to) for item in view.result().pending] == [(None, "p"), ("a", "d1")]
    view.apply(ev.ApprovalGiven(at=102.0, node_id=A, approved=True, bound_to="d1"))
    view.apply(ev.ApprovalGiven(at=102.0, node_id=None, approved=False, bound_to="p"))
    assert view.result().pending == ()
    assert view.nodes[A].state == "pending"
    assert view.approvals[A, "d1"].approved
    assert not view.approvals[None, "p"].approved


@pytest.mark.parametrize(
    "event",
    [
        plan(2, Node(id=B)),
        plan(2, Node(id=A, goal="other work"), Node(id=B)),
        attempt(A, 1, "mini", 102.0),
        committed(A, "x"),
        ev.NodeFailed(at=102.0, node_id=A, plan_version=1, failed=BAD),
        ev.NodeSkipped(at=102.0, node_id=A, plan_version=1, reason="x"),
    ],
    ids=["removed", "changed", "running", "done", "failed", "skipped"],
)
def test_nobody_is_asked_about_a_node_that_no_longer_waits(event: ev.AnyEvent) -> None:
    view = RunView([STARTED, plan(1, Node(id=A), Node(id=B)), held(A, "d1"), event])
    assert view.pending == {}
    assert view.nodes[A].state != "held"


def test_folding_in_two_steps_gives_what_folding_at_once_gives() -> None:
    events = [STARTED, plan(1, Node(id=A)), attempt(A, 1, "mini", 101.0), committed(A, "x")]
    half = RunView(events[:2])
    for event in events[2:]:
        half.apply(event)
    assert half.result() == RunView(events).result()
