"""The router's table: what follows each failure under each policy."""

from dataclasses import dataclass, fields, replace
from itertools import product

import pytest

from planloom.configs.agree import AgreeSpec
from planloom.configs.spec import RouteSpec
from planloom.core.check import Agree
from planloom.core.decision import Ask, Decision, Promote, Replan, Retry, Stop, Vote
from planloom.core.outcome import FailureKind as Kind
from planloom.graphs.route import TABLE, Situation, route

FULL = RouteSpec(retry=1, vote=AgreeSpec(samples=5, quorum=3), promote=True, replan=2, then="ask")
BARE = RouteSpec(retry=0, vote=None, promote=False, replan=0, then="stop")
FRESH = Situation(kind=Kind.CHECK, message="m", policy=FULL, rungs=("mini", "big"), replans_left=2)


def name(decision: Decision) -> str:
    return type(decision).__name__.lower()


@dataclass(frozen=True)
class Row:
    kind: Kind
    steps: str
    """What is decided while every step is open, then without the first one, and so on."""
    bare: str = "stop"
    """What is decided where the workflow allows nothing."""


ROWS = [
    Row(Kind.TRANSPORT, "promote replan ask"),
    Row(Kind.TIMEOUT, "promote replan ask"),
    Row(Kind.REJECTED, "promote ask"),
    Row(Kind.UNPARSEABLE, "promote replan ask"),
    Row(Kind.SCHEMA, "promote replan ask"),
    Row(Kind.CHECK, "retry vote promote replan ask"),
    Row(Kind.DISAGREE, "promote replan ask"),
    Row(Kind.DOUBT, "vote promote ask"),
    Row(Kind.CANNOT, "replan promote ask"),
    Row(Kind.QUESTION, "ask replan promote"),
    Row(Kind.REFUSAL, "promote ask", bare="ask"),
    Row(Kind.LENGTH, "promote replan ask"),
    Row(Kind.TOOL, "retry promote replan ask"),
    Row(Kind.INPUT, "replan"),
    Row(Kind.BROKEN, "stop"),
    Row(Kind.INTERRUPTED, ""),
    Row(Kind.BUDGET, "stop"),
    Row(Kind.FLOW, "ask", bare="ask"),
    Row(Kind.DENIED, "stop"),
]


def used_up(now: Situation, step: str) -> Situation:
    match step:
        case "retry":
            return replace(now, failures_on_rung=now.policy.retry + 1)
        case "vote":
            return replace(now, voted=True)
        case "promote":
            return replace(now, rung=len(now.rungs) - 1)
        case "replan":
            return replace(now, replans_left=0)
        case _:
            return replace(now, policy=now.policy.model_copy(update={"then": "stop"}))


def test_the_table_has_a_row_for_every_kind() -> None:
    assert {row.kind for row in ROWS} == set(Kind) == set(TABLE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.value)
def test_steps_come_in_the_order_of_the_table(row: Row) -> None:
    now, seen = replace(FRESH, kind=row.kind), list[str]()
    for step in row.steps.split():
        seen.append(name(route(now)))
        now = used_up(now, step)
    assert seen == row.steps.split()
    if row.kind not in (Kind.REFUSAL, Kind.FLOW):
        assert isinstance(route(now), Stop), "nothing is left"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.value)
def test_a_workflow_that_allows_nothing_stops(row: Row) -> None:
    decision = route(replace(FRESH, kind=row.kind, policy=BARE, replans_left=0))
    assert name(decision) == row.bare
    if isinstance(decision, Stop):
        assert decision.reason == f"{row.kind.value}: m"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_node_that_asks_no_model_is_never_promoted_nor_voted_on(kind: Kind) -> None:
    for failures, replans in product((1, 2), (0, 1)):
        now = replace(FRESH, kind=kind, rungs=(), failures_on_rung=failures, replans_left=replans)
        assert not isinstance(route(now), Promote | Vote)


def test_code_is_not_run_again_on_the_same_input() -> None:
    now = replace(FRESH, kind=Kind.TOOL, rungs=(), repeatable=False)
    assert isinstance(route(now), Replan)
    assert isinstance(route(replace(now, repeatable=True)), Retry)


def test_promotion_takes_the_next_rung_and_ends_at_the_last() -> None:
    ladder = ("a", "b", "c")
    now = replace(FRESH, kind=Kind.SCHEMA, rungs=ladder)
    assert [route(replace(now, rung=rung)) for rung in range(2)] == [
        Promote(rung="b", reason="schema on a"),
        Promote(rung="c", reason="schema on b"),
    ]
    assert isinstance(route(replace(now, rung=2)), Replan)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_on_a_rung_are_counted(retries: int) -> None:
    policy = RouteSpec(retry=retries)
    decisions = [route(replace(FRESH, policy=policy, failures_on_rung=n)) for n in range(1, retries + 2)]
    assert [name(decision) for decision in decisions] == ["retry"] * retries + ["promote"]


def test_a_vote_says_how_many_samples_must_agree() -> None:
    decision = route(replace(FRESH, failures_on_rung=2))
    assert decision == Vote(agree=Agree(samples=5, quorum=3), reason="check: 3 of up to 5 samples must agree")


@pytest.mark.parametrize("kind", list(Kind))
def test_the_same_situation_always_gives_the_same_decision(kind: Kind) -> None:
    for policy, rung, failures, voted, left in product(
        (FULL, BARE, RouteSpec()), (0, 1), (1, 2), (True, False), (0, 1)
    ):
        now = Situation(
            kind=kind,
            message="m",
            policy=policy,
            rungs=("mini", "big"),
            rung=rung,
            failures_on_rung=failures,
            voted=voted,
            replans_left=left,
        )
        before = {item.name: getattr(now, item.name) for item in fields(now)}
        first = route(now)
        assert first == route(now) == route(replace(now))
        assert first.reason
        assert {item.name: getattr(now, item.name) for item in fields(now)} == before
        assert not isinstance(first, Replan) or left
        assert not isinstance(first, Promote) or (rung == 0 and policy.promote)
        assert not isinstance(first, Retry) or failures <= policy.retry
        assert not isinstance(first, Vote) or (policy.vote and not voted)
        assert not isinstance(first, Ask) or policy.then == "ask" or kind in (Kind.REFUSAL, Kind.FLOW)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_human_is_asked_after_an_attempt_that_may_have_written(kind: Kind) -> None:
    assert name(route(replace(FRESH, kind=kind, wrote=True))) == "ask"
