"""What pays best next: properties of the order, and cases whose sums can be done by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.configs.agree import AgreeSpec
from planloom.configs.spec import RouteSpec
from planloom.core.check import Agree
from planloom.core.decision import Promote, Retry, Vote
from planloom.core.outcome import FailureKind as Kind
from planloom.graphs.payoff import Odds, Payoff, Spend, by_worth, payoffs
from planloom.graphs.route import Situation, route

STEPS: tuple[Spend, ...] = ("retry", "vote", "promote")
CHANCE = st.floats(0, 1)
COST = st.floats(1e-6, 10)
VOTE = Agree(samples=3, quorum=2)
PAYOFFS = st.permutations(STEPS).flatmap(
    lambda steps: st.tuples(
        *(st.builds(Payoff, step=st.just(step), gain=st.floats(-1, 1), cost_usd=COST) for step in steps)
    )
)
ODDS = st.builds(
    Odds, now=CHANCE, again=CHANCE, above=CHANCE, cost_usd=COST, above_usd=COST, failures=st.integers(0, 4)
)


def gain(odds: Odds, step: str, vote: Agree | None = VOTE) -> float:
    return next(each.gain for each in payoffs(odds, vote) if each.step == step)


@given(PAYOFFS)
def test_every_step_is_there_once_and_none_stands_before_one_that_pays_better(found: tuple[Payoff, ...]) -> None:
    ranked = by_worth(found, STEPS)
    assert sorted(each.step for each in ranked) == sorted(STEPS)
    paying = [each for each in ranked if each.gain > 0]
    assert ranked[: len(paying)] == paying
    assert all(one.per_usd >= other.per_usd for one, other in pairwise(paying))


@given(PAYOFFS, st.permutations(range(3)), st.sampled_from([0.25, 2.0, 1024.0]))
def test_the_order_depends_on_neither_the_currency_nor_how_the_steps_are_listed(
    found: tuple[Payoff, ...], order: list[int], rate: float
) -> None:
    dearer = [Payoff(step=found[i].step, gain=found[i].gain, cost_usd=found[i].cost_usd * rate) for i in order]
    assert [each.step for each in by_worth(dearer, STEPS)] == [each.step for each in by_worth(found, STEPS)]


@given(PAYOFFS, st.sampled_from(STEPS))
def test_a_step_that_becomes_cheaper_never_moves_back(found: tuple[Payoff, ...], step: Spend) -> None:
    cheaper = [
        Payoff(step=each.step, gain=each.gain, cost_usd=each.cost_usd / 2) if each.step == step else each
        for each in found
    ]
    before, after = ([each.step for each in by_worth(items, STEPS)].index(step) for items in (found, cheaper))
    assert after <= before


@given(ODDS)
def test_no_step_gains_more_than_is_missing_or_loses_more_than_there_is(odds: Odds) -> None:
    for each in payoffs(odds, VOTE):
        assert -odds.now - 1e-9 <= each.gain <= 1 - odds.now + 1e-9


@given(ODDS, st.integers(2, 7), st.integers(2, 7))
def test_a_higher_quorum_never_gains_and_a_further_failure_never_helps_the_same_rung(
    odds: Odds, samples: int, quorum: int
) -> None:
    quorum = min(quorum, samples)
    eager, strict = (Agree(samples=samples, quorum=count) for count in (max(1, quorum - 1), quorum))
    assert gain(odds, "vote", strict) <= gain(odds, "vote", eager) + 1e-9
    worse = Odds(
        now=odds.now,
        again=odds.again,
        above=odds.above,
        cost_usd=odds.cost_usd,
        above_usd=odds.above_usd,
        failures=odds.failures + 1,
    )
    assert gain(worse, "retry") <= gain(odds, "retry") + 1e-9
    assert gain(worse, "vote") <= gain(odds, "vote") + 1e-9
    assert gain(worse, "promote") == gain(odds, "promote")


def test_the_sums_of_one_case() -> None:
    odds = Odds(now=0.0, again=0.6, above=0.9, cost_usd=0.001, above_usd=0.01, failures=1)
    told = {each.step: (round(each.gain, 3), each.cost_usd) for each in payoffs(odds, VOTE)}
    assert told == {"retry": (0.4, 0.001), "promote": (0.9, 0.01), "vote": (0.352, 0.003)}


def situation(kind: Kind, odds: Odds, failures: int = 1) -> Situation:
    policy = RouteSpec(retry=1, vote=AgreeSpec(samples=3, quorum=2), replan=0)
    return Situation(kind=kind, message="m", policy=policy, rungs=("mini", "big"), failures_on_rung=failures, odds=odds)


@pytest.mark.parametrize(
    ("kind", "again", "now", "above_usd", "failures", "wanted"),
    [
        (Kind.CHECK, 0.6, 0.0, 0.01, 1, Retry),
        (Kind.CHECK, 0.6, 0.0, 0.02, 2, Vote),
        (Kind.CHECK, 0.1, 0.0, 0.002, 1, Promote),
        (Kind.DOUBT, 0.3, 0.3, 0.01, 0, Promote),
        (Kind.DOUBT, 0.7, 0.7, 0.5, 0, Vote),
    ],
)
def test_the_router_takes_what_pays_best_of_what_is_open(
    kind: Kind, again: float, now: float, above_usd: float, failures: int, wanted: type
) -> None:
    odds = Odds(now=now, again=again, above=0.9, cost_usd=0.001, above_usd=above_usd, failures=failures)
    decision = route(situation(kind, odds, failures))
    assert isinstance(decision, wanted)
    assert "; pays best of " in decision.reason
    assert "promote +" in decision.reason
