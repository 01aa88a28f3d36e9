"""Calibration: what it finds in answers whose slips it can see, and what it says when there is nothing to find."""

import math
import random
from dataclasses import replace

import pytest
from invented import invented

from planloom.quality.calibrate import calibrate
from planloom.quality.curve import Case, draw_curve
from planloom.quality.logistic import fit, sigmoid
from planloom.quality.policy import UNTRAINED, Policy, judge
from planloom.quality.reading import Reading
from planloom.quality.signal import measure


def test_visible_slips_give_a_signal_a_threshold_and_a_curve_far_above_random() -> None:
    found = calibrate(invented(150))
    assert found.group.signal
    assert found.group.signal.found
    assert found.brier < found.brier_constant / 2
    assert found.curve
    assert found.curve.apgr > 0.8
    sound = Reading(text="3 * 4 = 12 pens\n#### 12", question="3 boxes of 4 pens each. How many pens?")
    broken = Reading(text="3 * 4 = 13 pens\n#### 13", question="3 boxes of 4 pens each. How many pens?")
    assert not judge(found.group, sound).goes_up
    assert judge(found.group, broken).goes_up
    assert judge(found.group, sound).chance > 0.8 > 0.3 > judge(found.group, broken).chance


def test_slips_that_leave_no_trace_are_no_signal_and_the_prior_stays() -> None:
    found = calibrate(invented(150, telling=False))
    assert found.group.signal
    assert not found.group.signal.found
    assert found.group.weights is UNTRAINED
    assert found.group.strong is None


@pytest.mark.parametrize(
    ("plain", "marked"),
    [
        ("3 rows of 4 pens, 5 boxes. How many pens in all?", "4 pens, 5 boxes. How many pens are in 3 rows of it?"),
        ("3 boxes at $40 each. What does he pay?", "3 boxes at $4.0 each. What does he pay?"),
    ],
)
def test_where_a_stronger_model_is_marked_wrong_is_learned_from_what_is_asked(plain: str, marked: str) -> None:
    rows = [
        replace(each, question=(plain, marked)[number % 2], strong_right=number % 2 == 0)
        for number, each in enumerate(invented(150))
    ]
    group = calibrate(rows).group
    known, doubted = (judge(group, Reading(text=rows[0].answer, question=each)) for each in (plain, marked))
    assert known.stronger is not None
    assert doubted.stronger is not None
    assert known.stronger > 0.7 > 0.3 > doubted.stronger
    assert known.urgency > doubted.urgency


def test_without_a_stronger_model_on_record_an_answer_goes_up_by_its_own_chance() -> None:
    found = calibrate(invented(150, strong=False))
    assert found.curve is None
    assert found.group.strong is None
    assert found.group.threshold == 0.5


def test_the_same_rows_and_seed_give_the_same_policy() -> None:
    assert calibrate(invented(80)) == calibrate(invented(80))


def test_a_policy_decides_by_kind_and_model() -> None:
    group = calibrate(invented(80)).group
    policy = Policy(created="2026-01-01", groups=(group,))
    assert policy.group(kind="sums", model="cheap") is group
    assert policy.group(model="another") is None


def test_newton_finds_the_weights_that_made_the_data() -> None:
    draw = random.Random(4)
    rows = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(3000)]
    labels = [draw.random() < sigmoid(0.5 + 2 * a - b) for a, b in rows]
    model = fit(rows, labels, ridge=0.01)
    assert (model.intercept, *model.weights) == pytest.approx((0.5, 2, -1), abs=0.2)


def test_a_prior_far_from_the_data_does_not_keep_newton_from_the_weights_that_made_them() -> None:
    draw = random.Random(4)
    rows = [[-6.0 - draw.choice((0, 3, 6, 9)), float(draw.random() < 0.1)] for _ in range(400)]
    labels = [draw.random() < sigmoid(6 + 0.5 * score - flag) for score, flag in rows]
    model = fit(rows, labels, prior=[0.7, 0.0], ridge=1.0)
    assert (model.intercept, *model.weights) == pytest.approx((6, 0.5, -1), abs=0.8)


def test_a_strong_prior_keeps_its_weight_and_separable_data_end() -> None:
    rows, labels = [[-1.0], [1.0]] * 20, [False, True] * 20
    assert fit(rows, labels, prior=[0.3], ridge=1e6).weights == pytest.approx((0.3,), abs=0.01)
    assert math.isfinite(fit(rows, labels, ridge=0.1).weights[0])


def test_the_curve_of_random_urgencies_is_the_diagonal_and_that_of_an_oracle_lies_above() -> None:
    cases = [Case(urgency=0, kept=place % 2 == 0, strong=True) for place in range(100)]
    flat = draw_curve(cases)
    assert (flat.apgr, flat.cpt(0.5), flat.cpt(0.8)) == pytest.approx((0.5, 50, 80))
    best = draw_curve([Case(urgency=not case.kept, kept=case.kept, strong=True) for case in cases])
    assert (best.apgr, best.cpt(0.5), best.at(0.5).accuracy) == pytest.approx((0.75, 25, 1))


def test_a_curve_that_starts_high_enough_needs_no_call_and_one_that_never_rises_has_no_cpt() -> None:
    good = [Case(urgency=1, kept=True, strong=True)] * 4
    assert draw_curve(good, weak=0.5).cpt(0.5) == 0.0
    assert draw_curve([Case(urgency=1, kept=False, strong=False)] * 4).cpt(0.5) is None


@pytest.mark.parametrize(
    ("scores", "labels", "auc", "found"),
    [
        ([1.0, 2.0] * 20, [False, True] * 20, 1.0, True),
        ([1.0] * 40, [False, True] * 20, 0.5, False),
        ([1.0, 2.0], [False, True], 1.0, False),
        ([1.0], [True], 0.5, False),
    ],
)
def test_a_signal_needs_an_interval_above_one_half(
    scores: list[float], labels: list[bool], auc: float, found: bool
) -> None:
    signal = measure(scores, labels)
    assert (signal.auc, signal.found) == (auc, found)
