"""Every event survives being written and read back."""

from dataclasses import fields, replace

import pytest
from pydantic import ValidationError

from planloom.core import events as ev
from planloom.core.board import Board, Claim, ClaimId, Merge, Ruling
from planloom.core.check import Agree, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck
from planloom.core.contradiction import Contradiction
from planloom.core.outcome import Evidence, Failed, FailureKind, Usage
from planloom.core.panel import Member, Panel
from planloom.core.plan import Finding, Grant, Node, NodeId, Plan, RunId, ToolName

A = NodeId("a")
FAILED = Failed(
    kind=FailureKind.CHECK,
    message="no",
    evidence=(Evidence(check="expr: x", passed=False, expected="1", found="2", where="output"),),
    output={"rows": [1, 2.5, None, True, "é"]},
    code="other",
)
NODE = Node(
    id=A,
    goal="Do ${inputs.x}",
    kind="worker",
    inputs={"x": "${inputs.x}", "deep": [{"y": None}, 1.0, 10**30]},
    needs=(NodeId("b"),),
    when="inputs.x > 1",
    map="${nodes.b.output}",
    on_skip="null",
    tools=(Grant(tool=ToolName("db"), args={"table": "t"}, max_calls=3), Grant(tool=ToolName("files.read"))),
    output={"type": "object", "properties": {"a": {"type": "integer"}}},
    checks=(
        ExprCheck(expr="output.a > 1", message="too small"),
        RegexCheck(pattern="^a", path="output.a"),
        FunctionCheck(ref="mod:func", args={"k": 1}),
        CodeCheck(code="assert True", load="output.source"),
        CodeCheck(code="assert True"),
        JudgeCheck(judge="Is it good?", model="big"),
        JudgeCheck(judge="Is it good?"),
    ),
    agree=Agree(samples=5, quorum=3, path="output.a"),
    effort="high",
    effect="write",
    model="mini",
    max_calls=4,
    timeout_s=1.5,
    max_cost_usd=0.25,
    approve=True,
    recall=3,
    remember="what ${inputs.x} is",
)
BARE = Node(id=NodeId("b"), kind="tool", tool=ToolName("db.query"))
CODE = Node(id=NodeId("c"), kind="code", code="1 + 1")
PANEL = Node(
    id=NodeId("p"),
    kind="panel",
    panel=Panel(members=(Member(name="m", role="r"), Member(name="n", role="r", model="big"))),
)
PLAN = Plan(
    version=3, nodes={A: NODE, BARE.id: BARE, CODE.id: CODE, PANEL.id: PANEL}, output={"r": "${nodes.a.output}"}
)
C1, C2 = ClaimId("c1"), ClaimId("c2")
CLAIM = Claim(id=C1, author="m", round=1, subject="s", statement="It is.", value={"k": [1, 2.5]}, sources=("x",))
PAIR = Contradiction(claims=(C1, C2), subject="s", reason="they differ")
BOARD = Board(
    version=4,
    round=2,
    claims=(CLAIM, replace(CLAIM, id=C2, confidence=0.5, supersedes=C1, endorsed_by=("n",))),
    withdrawn=(C1,),
    rulings=(Ruling(claims=(C1, C2), keep="both", reason="r"),),
    merge=Merge(result=[None], decided=True, question="?"),
    merged_round=2,
)
FINDING = Finding(code="unread_output", message="nobody reads it", node_id=A, field="output", fatal=False)

EVENTS: list[ev.AnyEvent] = [
    ev.RunStarted(
        at=1.25,
        run_id=RunId("r"),
        name="n",
        workflow={"version": 1, "nodes": {}},
        base_dir="/x",
        inputs={"x": [1]},
        rehearsal=True,
        tenant="t",
        script="s.yaml",
        base_url="http://h/v1",
    ),
    ev.RunResumed(interrupted=(A, BARE.id)),
    ev.PlanRequested(purpose="replan", rung="big", failed=(A,)),
    ev.NodePlanned(node=NODE),
    ev.PlanReady(plan=PLAN, purpose="repair", warnings=(FINDING,)),
    ev.PolicySetAside(node_id=A, rung="mini", reason="it was fitted for other, and this is mini"),
    ev.PlanDrafted(sample=1, rung="big", asked="backwards", plan=PLAN, graph="4 nodes 01ab"),
    ev.PlanDrafted(sample=2, rung="big", asked="plain", error="no"),
    ev.PlansCompared(taken=1, because="next rung", found="1 x a; 1 x b", dissent="plan 0: has worker"),
    ev.PlanRejected(purpose="plan", findings=(FINDING, Finding(code="cycle", message="a -> a"))),
    ev.ReplanFailed(failed=(A,), reason="no patch"),
    ev.NodeExpanded(node_id=A, elements=0),
    ev.AttemptStarted(node_id=A, attempt=1, rung="", plan_version=1, input_digest="d", samples=3),
    ev.CallStarted(
        call_id="c", node_id=None, attempt=1, role="planner", rung="big", reserved_usd=0.1, reserved_tokens=9
    ),
    ev.CallEnded(
        call_id="c",
        node_id=A,
        attempt=1,
        rung="big",
        model="m-1",
        usage=Usage(input_tokens=1, output_tokens=2, cached_tokens=3, reasoning_tokens=4, calls=1),
        cost_usd=0.1 + 0.2,
        seconds=0.5,
        error="lost",
    ),
    ev.NodesMerged(into=NodeId("a_to_b"), nodes=(A, NodeId("b")), reason="chain"),
    ev.BatchAdvanced(batch="k", rung="slow", batch_id="b", status="in_progress", done=1, total=2, calls={"c": "d"}),
    ev.ToolCalled(node_id=A, attempt=1, tool="db.query", args={"sql": "SELECT 'é'"}, seconds=0.1, error="x"),
    ev.EffectStarted(node_id=A, attempt=1, tool="t.w", key="k", work="w", args={"to": "x"}),
    ev.EffectEnded(node_id=A, attempt=1, tool="t.w", key="k", outcome="failed", error="no", told_by="verify"),
    ev.BoardAdvanced(node_id=A, attempt=1, board=BOARD, contradictions=(PAIR,)),
    ev.PanelStopped(node_id=A, attempt=1, reason="dissent", rounds=2, dissent=(PAIR,)),
    ev.SampleDrawn(node_id=A, attempt=1, sample=0, asked="plain", output={"k": 1}, evidence=FAILED.evidence),
    ev.SampleDrawn(node_id=A, attempt=1, sample=1, asked="program on other", failed=FAILED),
    ev.AttemptEnded(node_id=A, attempt=1, seconds=2.0, evidence=FAILED.evidence, failed=FAILED),
    ev.AttemptEnded(node_id=A, attempt=2, seconds=2.0),
    ev.Decided(node_id=A, attempt=1, action="promote", reason="check on mini", rung="big"),
    ev.NodeCommitted(node_id=A, plan_version=2, input_digest="d", output=[{"k": 1e-9}], attempt=2, reused=True),
    ev.Recalled(node_id=A, input_digest="d", entries=("m",), tokens=9, text="# Remembered", untrusted=True),
    ev.Remembered(node_id=A, input_digest="d", entry="m", subject="x", kept=True, untrusted=("web.get",)),
    ev.NodeFailed(node_id=A, plan_version=1, failed=FAILED),
    ev.NodeSkipped(node_id=A, plan_version=1, reason="when: false"),
    ev.NodeHeld(node_id=A, reason="write", node_digest="d"),
    ev.PlanHeld(plan_digest="d"),
    ev.ApprovalGiven(node_id=None, approved=False, bound_to="d", note="no"),
    ev.BudgetRaised(caps={"usd": 2.0}, by="ann"),
    ev.WorkflowMended(workflow={"version": 1}, base_dir="/here", inputs={"a": 1}, by="ann"),
    ev.BudgetReached(limit="usd", cap=1.0, needed=1.1),
    ev.RunEnded(status="partial", output={"a": None}, error="x"),
]


def test_the_table_holds_every_event_type() -> None:
    assert {type(event).__name__ for event in EVENTS} == set(ev.EVENT_TYPES)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: ev.AnyEvent) -> None:
    again = ev.decode(type(event).__name__, ev.encode(event))
    assert again == event
    assert type(again) is type(event)
    assert ev.decode(type(event).__name__, ev.encode(event).decode()) == event


def test_a_plan_that_was_read_back_is_the_same_work() -> None:
    ready = ev.decode("PlanReady", ev.encode(ev.PlanReady(plan=PLAN, purpose="plan")))
    assert isinstance(ready, ev.PlanReady)
    assert ready.plan.digest == PLAN.digest
    assert [node.digest for node in ready.plan.nodes.values()] == [node.digest for node in PLAN.nodes.values()]
    assert [type(check) for check in ready.plan.nodes[A].checks] == [type(check) for check in NODE.checks]


@pytest.mark.parametrize("field", [field.name for field in fields(Node)])
def test_every_field_of_a_node_counts_in_its_identity(field: str) -> None:
    others = {"code": CODE.code, "panel": PANEL.panel}
    other = replace(BARE, **{field: others.get(field, getattr(NODE, field))})
    assert other.digest != BARE.digest


def test_text_that_utf8_cannot_say_does_not_stop_the_journal() -> None:
    event = ev.NodeFailed(node_id=A, plan_version=1, failed=Failed(kind=FailureKind.TOOL, message="a\ud800b"))
    again = ev.decode("NodeFailed", ev.encode(event))
    assert isinstance(again, ev.NodeFailed)
    assert again.failed.message == "a\ufffdb"


def test_an_unknown_type_or_a_damaged_payload_is_refused() -> None:
    with pytest.raises(KeyError):
        ev.decode("Nothing", b"{}")
    for payload in (b"", b"{}", b"[]", b'{"node_id": 3, "plan_version": "x"}', b"\xff"):
        with pytest.raises(ValidationError):
            ev.decode("NodeSkipped", payload)
