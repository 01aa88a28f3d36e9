import json

import pytest

from planloom.cli.lines import line
from planloom.core import events as ev
from planloom.core.board import Board, ClaimId
from planloom.core.contradiction import Contradiction
from planloom.core.outcome import Failed, FailureKind, Usage
from planloom.core.plan import Finding, Node, NodeId, Plan, RunId

A = NodeId("a")
PLAN = Plan(version=2, nodes={A: Node(id=A, goal="Do it")})
FINDING = Finding(code="cycle", message="a waits for a", node_id=A)
FAILED = Failed(kind=FailureKind.CHECK, message="too long")
PAIR = Contradiction(claims=(ClaimId("c1"), ClaimId("c2")), subject="s", reason="they differ")

CASES: list[tuple[ev.AnyEvent, str]] = [
    (
        ev.RunStarted(at=1.0, run_id=RunId("r1"), name="w", workflow={}, base_dir=".", inputs={}, rehearsal=True),
        "run-started run=r1 name=w rehearsal=true",
    ),
    (ev.RunResumed(at=1.0, interrupted=(A,)), "run-resumed interrupted=a"),
    (
        ev.PlanRequested(at=1.0, purpose="replan", rung="big", failed=(A,)),
        "plan-requested purpose=replan rung=big failed=a",
    ),
    (ev.NodePlanned(at=1.0, node=PLAN.nodes[A]), 'node-planned node=a kind=worker goal="Do it"'),
    (ev.PlanReady(at=1.0, plan=PLAN, purpose="plan"), "plan-ready purpose=plan version=2 nodes=1"),
    (
        ev.PolicySetAside(at=1.0, node_id=A, rung="mini", reason="no signal"),
        'policy-set-aside node=a rung=mini reason="no signal"',
    ),
    (
        ev.PlanDrafted(at=1.0, sample=1, rung="big", asked="backwards", plan=PLAN, graph="1 nodes ab"),
        'plan-drafted sample=1 rung=big asked=backwards graph="1 nodes ab"',
    ),
    (
        ev.PlansCompared(at=1.0, taken=1, because="lint", found="2 x a", dissent="plan 0: has worker"),
        'plans-compared taken=1 because=lint found="2 x a" dissent="plan 0: has worker"',
    ),
    (
        ev.PlanRejected(at=1.0, purpose="plan", findings=(FINDING,)),
        'plan-rejected purpose=plan findings="cycle: a: a waits for a"',
    ),
    (ev.ReplanFailed(at=1.0, failed=(A,), reason="no patch"), 'replan-failed failed=a reason="no patch"'),
    (ev.NodeExpanded(at=1.0, node_id=A, elements=3), "node-expanded node=a elements=3"),
    (
        ev.AttemptStarted(at=1.0, node_id=A, attempt=2, rung="mini", plan_version=1, input_digest="d", samples=3),
        "attempt-started node=a attempt=2 rung=mini samples=3",
    ),
    (
        ev.CallStarted(
            at=1.0,
            call_id="c",
            node_id=A,
            attempt=1,
            role="worker",
            rung="mini",
            reserved_usd=0.00012,
            reserved_tokens=7,
        ),
        "call-started node=a attempt=1 role=worker rung=mini reserved_usd=0.00012 reserved_tokens=7",
    ),
    (
        ev.CallEnded(
            at=1.0,
            call_id="c",
            node_id=None,
            attempt=1,
            rung="big",
            model="m",
            usage=Usage(input_tokens=5, output_tokens=6),
            cost_usd=0.5,
            seconds=2.0,
        ),
        "call-ended attempt=1 rung=big model=m input_tokens=5 output_tokens=6 cost_usd=0.5 seconds=2",
    ),
    (
        ev.ToolCalled(at=1.0, node_id=A, attempt=1, tool="db.query", args={"sql": "select\n1"}, seconds=0.25),
        'tool-called node=a attempt=1 tool=db.query seconds=0.25 args={"sql": "select\\n1"}',
    ),
    (
        ev.EffectStarted(at=1.0, node_id=A, attempt=1, tool="mail.send", key="k1", work="w1", args={"to": "x"}),
        "effect-started node=a attempt=1 tool=mail.send key=k1",
    ),
    (
        ev.EffectEnded(
            at=1.0, node_id=A, attempt=1, tool="mail.send", key="k1", outcome="done", result=1, told_by="verify"
        ),
        "effect-ended node=a attempt=1 tool=mail.send key=k1 outcome=done told_by=verify",
    ),
    (
        ev.BoardAdvanced(at=1.0, node_id=A, attempt=1, board=Board(version=4, round=2), contradictions=(PAIR,)),
        'board-advanced node=a attempt=1 version=4 round=2 claims=0 contradictions="c1 and c2: they differ"',
    ),
    (
        ev.PanelStopped(at=1.0, node_id=A, attempt=1, reason="dissent", rounds=2, dissent=(PAIR,)),
        'panel-stopped node=a attempt=1 reason=dissent rounds=2 dissent="c1 and c2: they differ"',
    ),
    (
        ev.SampleDrawn(at=1.0, node_id=A, attempt=1, sample=0, asked="plain", output={"k": 1}),
        'sample-drawn node=a attempt=1 sample=0 asked=plain output={"k": 1}',
    ),
    (
        ev.SampleDrawn(at=1.0, node_id=A, attempt=1, sample=1, asked="program on other", failed=FAILED),
        'sample-drawn node=a attempt=1 sample=1 asked="program on other" ok=false failure=check message="too long"',
    ),
    (
        ev.AttemptEnded(at=1.0, node_id=A, attempt=1, seconds=1.0, failed=FAILED),
        'attempt-ended node=a attempt=1 ok=false failure=check message="too long" seconds=1',
    ),
    (
        ev.Decided(at=1.0, node_id=A, attempt=1, action="promote", reason="check on mini", rung="big"),
        'decided node=a attempt=1 action=promote rung=big reason="check on mini"',
    ),
    (
        ev.NodeCommitted(at=1.0, node_id=A, plan_version=1, input_digest="d", output="two\nlines", attempt=1),
        'node-committed node=a attempt=1 output="two lines"',
    ),
    (
        ev.Recalled(at=1.0, node_id=A, input_digest="d", entries=("m", "n"), tokens=90, text="...", untrusted=True),
        "recalled node=a entries=2 tokens=90 untrusted=true found_by=words",
    ),
    (
        ev.Remembered(at=1.0, node_id=A, input_digest="d", entry="m", subject="a b", kept=True, untrusted=("web.get",)),
        'remembered node=a entry=m subject="a b" kept=true untrusted=web.get',
    ),
    (
        ev.NodeFailed(at=1.0, node_id=A, plan_version=1, failed=FAILED),
        'node-failed node=a failure=check message="too long"',
    ),
    (ev.NodeSkipped(at=1.0, node_id=A, plan_version=1, reason="no"), "node-skipped node=a reason=no"),
    (ev.NodeHeld(at=1.0, node_id=A, reason="writes", node_digest="x"), "node-held node=a reason=writes"),
    (ev.PlanHeld(at=1.0, plan_digest="x"), "plan-held"),
    (
        ev.ApprovalGiven(at=1.0, node_id=None, approved=False, bound_to="x"),
        "approval-given node=plan approved=false",
    ),
    (
        ev.NodesMerged(at=1.0, into=NodeId("a_to_b"), nodes=(A, NodeId("b")), reason="chain"),
        "nodes-merged into=a_to_b nodes=a,b reason=chain",
    ),
    (
        ev.BatchAdvanced(at=1.0, batch="k", rung="slow", batch_id="b_1", status="in_progress", done=12, total=40),
        "batch-advanced batch=b_1 rung=slow status=in_progress done=12/40",
    ),
    (
        ev.BudgetRaised(at=1.0, caps={"usd": 2.0, "calls": 20}, by="ann"),
        "budget-raised usd=2 calls=20 by=ann",
    ),
    (
        ev.WorkflowMended(at=1.0, workflow={}, base_dir="/here", inputs={}, by="ann"),
        "workflow-mended folder=/here by=ann",
    ),
    (
        ev.BudgetReached(at=1.0, limit="usd", cap=1.0, needed=1.2),
        "budget-reached limit=usd cap=1 needed=1.2",
    ),
    (
        ev.RunEnded(at=1.0, status="done", output="x", untrusted=("inputs.letter", "mail")),
        'run-ended status=done untrusted="inputs.letter, mail"',
    ),
]


@pytest.mark.parametrize(("event", "expected"), CASES, ids=lambda case: type(case).__name__)
def test_an_event_is_one_line_of_facts(event: ev.AnyEvent, expected: str) -> None:
    assert line(event, started_at=0.5) == f"    0.500 {expected}"


def test_there_is_a_line_for_every_kind_of_event() -> None:
    assert {type(event).__name__ for event, _ in CASES} == set(ev.EVENT_TYPES)


def test_a_long_hostile_value_stays_one_harmless_line() -> None:
    event = ev.RunEnded(at=1.0, status="failed", output=None, error="\x1b[31m\n\r\u202e" + "x" * 5000)
    text = line(event, 0.0)
    assert text.isprintable()
    assert len(text) < 400
    assert json.loads(text.partition("error=")[2]).endswith("…")
