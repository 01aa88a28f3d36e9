"""Replays: other rules, ladders and budgets on recorded answers, and what stays unknown."""

from dataclasses import replace

import pytest
from invented import invented

from planloom.quality.calibrate import calibrate
from planloom.quality.climb import Tried, climbs_of, ladders_of
from planloom.quality.policy import Policy
from planloom.quality.recorded import Recorded
from planloom.quality.replay import Replayed, Rule, Scheme, Spending, Unknown, compare, replay

ROWS = [
    Recorded(
        question_id=name,
        question="q",
        answer=name,
        right=right,
        strong_right=strong,
        model="mini",
        strong_model="big",
        cost_usd=1,
        strong_cost_usd=cost,
    )
    for name, right, strong, cost in (("a", True, True, 5), ("b", False, True, 5), ("c", False, None, None))
]


def mid(question: str, right: bool, strong: bool | None, answer: str = "m") -> Recorded:
    """An answer of the rung in the middle."""
    first = next(row for row in ROWS if row.question_id == question)
    return replace(first, answer=answer, right=right, strong_right=strong, model="mid", cost_usd=2, first=False)


LONG = [*(replace(row, strong_model="mid") for row in ROWS), mid("a", False, True), mid("b", False, False)]


def climbed(rows: list[Recorded], rule: Rule, budget_usd: float | None = None) -> Replayed:
    climbs = climbs_of(rows)
    ladders = ladders_of(climbs)
    scheme = Scheme(name="up", rule=rule, rungs=lambda climb: ladders[climb.kind])
    return replay(scheme, climbs, ladders, spending=Spending(), budget_usd=budget_usd)


def test_an_attempt_nobody_made_is_unknown_and_so_is_its_cost() -> None:
    found = climbed(ROWS, lambda each: each.answer != "a")
    assert (found.right, found.wrong, found.unknown) == (2, 0, 1)
    assert (found.strong_calls, found.cost_usd, found.cost_unknown) == (2, 8, 1)
    assert found.unknowns == (Unknown(kind="*", model="big", lack="never asked", questions=1),)


def test_a_budget_holds_strong_calls_back_and_the_cheap_answer_is_kept() -> None:
    found = climbed(ROWS[:2], lambda _: True, budget_usd=7)
    assert (found.right, found.wrong, found.held_back, found.cost_usd) == (1, 1, 1, 7)


def test_a_question_climbs_as_many_rungs_as_its_answers_are_doubted_on() -> None:
    assert ladders_of(climbs_of(LONG)) == {"*": ("mini", "mid", "big")}
    up = climbed(LONG[:2] + LONG[3:], lambda _: True)
    assert (up.right, up.wrong, up.calls) == (1, 1, {"mini": 2, "mid": 2, "big": 2})
    assert (up.strong_calls, up.cost_usd, up.cost_unknown) == (4, 2 * 1 + 2 * 2 + 2 * 5, 0)
    middle = climbed(LONG[:2] + LONG[3:], lambda each: each.model == "mini")
    assert (middle.right, middle.wrong, middle.calls) == (0, 2, {"mini": 2, "mid": 2})


@pytest.mark.parametrize("budget", range(16))
def test_no_budget_is_passed_on_any_rung(budget: int) -> None:
    found = climbed(LONG[:2] + LONG[3:], lambda _: True, budget_usd=budget)
    assert found.cost_usd is None or found.cost_usd <= budget
    assert found.questions == 2


def test_beyond_a_rung_that_was_not_asked_or_whose_text_was_not_kept_nothing_is_known() -> None:
    rows = [*LONG[:3], mid("a", True, True, answer=""), mid("b", False, False)]
    found = climbed(rows, lambda _: True)
    assert (found.right, found.wrong, found.unknown) == (0, 1, 2)
    assert found.unknowns == (
        Unknown(kind="*", model="mid", lack="never asked", questions=1),
        Unknown(kind="*", model="mid", lack="text not kept", questions=1),
    )


def test_each_rung_alone_is_compared_and_another_ladder_leaves_rungs_out() -> None:
    names = {each.name: each for each in compare(LONG, [], spending=Spending())}
    assert list(names) == ["cheap only", "untrained checks", "mid only", "strong only"]
    assert (names["mid only"].right, names["mid only"].wrong, names["mid only"].unknown) == (0, 2, 1)
    assert names["strong only"].calls == {"big": 3}
    short = {each.name: each for each in compare(LONG, [], spending=Spending(), ladder=["mid", "big"])}
    assert (short["cheap only"].calls, short["cheap only"].wrong) == ({"mid": 3}, 2)
    assert (short["strong only"].right, short["strong only"].unknown) == (1, 1)


def test_each_kind_of_node_has_a_ladder_and_is_named_where_it_is_not_known() -> None:
    rows = [replace(ROWS[0], kind="draft"), replace(ROWS[1], kind="check", strong_right=None, strong_model="")]
    assert ladders_of(climbs_of(rows)) == {"draft": ("mini", "big"), "check": ("mini", "big")}
    strong = compare(rows, [], spending=Spending())[-1]
    assert strong.unknowns == (Unknown(kind="check", model="big", lack="never asked", questions=1),)


def test_the_same_work_in_several_runs_is_several_questions() -> None:
    first, second = LONG[0], mid("a", False, True)
    climbs = climbs_of([first, second, first])
    assert [[tried.model for tried in climb.tries] for climb in climbs] == [["mini", "mid", "big"], ["mini", "mid"]]


def test_a_policy_costs_less_than_the_strong_model_and_is_right_more_often_than_the_cheap_one() -> None:
    rows = invented(150)
    policy = Policy(created="2026-01-01", groups=(calibrate(rows).group,))
    spending = Spending(weak_price=1, strong_price=100)
    cheap, checks, calibrated, strong = compare(rows, [("p", policy)], spending=spending)
    assert cheap.right < calibrated.right
    assert checks.right > cheap.right
    assert calibrated.cost_usd
    assert strong.cost_usd
    assert calibrated.cost_usd < strong.cost_usd / 1.5


def test_an_answer_that_no_group_fits_is_kept() -> None:
    rows = [replace(row, model="another") for row in invented(60)]
    policy = Policy(created="2026-01-01", groups=(calibrate(invented(60)).group,))
    assert compare(rows, [("p", policy)], spending=Spending())[2].strong_calls == 0


def test_prices_cost_what_was_not_recorded() -> None:
    row = Recorded(question_id="a", question="q" * 40, answer="a" * 360, right=True)
    (climb,) = climbs_of([row])
    known: Tried = climb.tries[0]
    assert Spending(weak_price=2).of(climb, known, first=True, last=False) == pytest.approx(100 * 2 / 1e6)
    assert Spending(prices={"big": 3}).of(climb, climb.on("big"), first=False, last=True) == pytest.approx(300 / 1e6)
    assert Spending().of(climb, known, first=True, last=False) is None
