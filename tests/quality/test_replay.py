"""Replays: other policies on recorded answers, and what stays unknown."""

from dataclasses import replace

import pytest
from invented import invented

from planloom.quality.calibrate import calibrate
from planloom.quality.policy import Policy
from planloom.quality.recorded import Recorded
from planloom.quality.replay import Spending, compare, replay

ROWS = [
    Recorded(
        question_id=name, question="q", answer="a", right=right, strong_right=strong, cost_usd=1, strong_cost_usd=cost
    )
    for name, right, strong, cost in (("a", True, True, 5), ("b", False, True, 5), ("c", False, None, None))
]


def test_an_attempt_nobody_made_is_unknown_and_so_is_its_cost() -> None:
    found = replay("up", ROWS, lambda each: each.question_id != "a", spending=Spending())
    assert (found.right, found.wrong, found.unknown) == (2, 0, 1)
    assert (found.strong_calls, found.cost_usd, found.cost_unknown) == (2, 8, 1)


def test_a_budget_holds_strong_calls_back_and_the_cheap_answer_is_kept() -> None:
    found = replay("up", ROWS[:2], lambda _: True, spending=Spending(), budget_usd=7)
    assert (found.right, found.wrong, found.held_back, found.cost_usd) == (1, 1, 1, 7)


def test_a_policy_costs_less_than_the_strong_model_and_is_right_more_often_than_the_cheap_one() -> None:
    rows = invented(150)
    policy = Policy(created="2026-01-01", groups=(calibrate(rows).group,))
    spending = Spending(weak_price=1, strong_price=100)
    cheap, checks, calibrated, strong = compare(rows, [("p", policy)], spending=spending, budget_usd=None)
    assert cheap.right < calibrated.right
    assert checks.right > cheap.right
    assert calibrated.cost_usd
    assert strong.cost_usd
    assert calibrated.cost_usd < strong.cost_usd / 1.5


def test_an_answer_that_no_group_fits_is_kept() -> None:
    rows = [replace(row, model="another") for row in invented(60)]
    policy = Policy(created="2026-01-01", groups=(calibrate(invented(60)).group,))
    assert compare(rows, [("p", policy)], spending=Spending(), budget_usd=None)[2].strong_calls == 0


def test_prices_cost_what_was_not_recorded() -> None:
    row = Recorded(question_id="a", question="q" * 40, answer="a" * 360, right=True)
    assert Spending(weak_price=2).weak(row) == pytest.approx(100 * 2 / 1e6)
    assert Spending().strong(row) is None
