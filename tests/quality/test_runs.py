"""Recorded answers out of a run's events."""

from planloom.core import events as ev
from planloom.core.outcome import Evidence, Failed, FailureKind
from planloom.core.plan import Node, NodeId, Plan, RunId
from planloom.core.view import RunView
from planloom.quality.runs import recorded_in

NODE = NodeId("sum")


def attempt(number: int, rung: str, *evidence: Evidence, output: str | None = None) -> list[ev.AnyEvent]:
    failed = Failed(kind=FailureKind.CHECK, message="no", evidence=evidence, output=output) if output else None
    started = ev.AttemptStarted(at=number, node_id=NODE, attempt=number, rung=rung, plan_version=1, input_digest="d")
    ended = ev.AttemptEnded(at=number, node_id=NODE, attempt=number, seconds=1, evidence=evidence, failed=failed)
    return [started, ended]


def run(*events: ev.AnyEvent) -> RunView:
    plan = Plan(version=1, nodes={NODE: Node(id=NODE, goal="Add them")})
    start = ev.RunStarted(at=0, run_id=RunId("r"), name="w", workflow={}, base_dir=".", inputs={}, rehearsal=False)
    commit = ev.NodeCommitted(at=9, node_id=NODE, plan_version=1, input_digest="d", output="7", attempt=2)
    return RunView([start, ev.PlanReady(at=0, plan=plan, purpose="plan"), *events, commit])


def test_another_check_says_which_answers_were_right_and_what_the_stronger_model_made_of_it() -> None:
    wrong, right = Evidence(check="expr: output > 5", passed=False), Evidence(check="expr: output > 5", passed=True)
    first, second = recorded_in(run(*attempt(1, "mini", wrong, output="4"), *attempt(2, "big", right)))
    assert (first.answer, first.right, first.model, first.strong_right) == ("4", False, "mini", True)
    assert (first.first, second.first) == (True, False)
    assert (second.answer, second.right, second.strong_right, second.kind) == ("7", True, None, "sum")


def test_what_only_checks_on_text_looked_at_is_not_known_to_be_right() -> None:
    assert recorded_in(run(*attempt(2, "mini", Evidence(check="text: arithmetic", passed=True)))) == []
