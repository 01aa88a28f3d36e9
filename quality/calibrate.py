"""Calibration: from recorded answers to weights, with every figure measured on rows that were not fitted."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from planloom.quality.catalogue import CHECKS
from planloom.quality.curve import Case, Curve, draw_curve
from planloom.quality.logistic import Logistic, fit
from planloom.quality.policy import UNTRAINED, Group, Weights
from planloom.quality.recorded import Recorded
from planloom.quality.score import COLUMNS, features
from planloom.quality.signal import measure
from planloom.quality.traits import TRAITS

FOLDS = 5
_SCORE_WEIGHT = 0.7
"""Checks overlap, so that the sum of their strengths says somewhat too much."""
_RIDGE = [10.0, *[20.0] * (len(CHECKS) + len(TRAITS))]
_WEAK_PRIOR = [_SCORE_WEIGHT, *[0.0] * (len(CHECKS) + len(TRAITS))]
_STRONG_COLUMNS = [0, *range(1 + len(CHECKS), len(COLUMNS))]
_STRONG_RIDGE = [60.0, *[8.0] * len(TRAITS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Weights for the chance that the cheap answer is right, and that the stronger model would be."""

    weak: Weights
    strong: Weights | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A group and how it did on rows it was not fitted to."""

    group: Group
    urgencies: tuple[float, ...]
    """One per row, each from a fit without the row's question."""
    brier: float
    """Mean squared error of the probabilities; of a constant guess, `brier_constant`."""
    brier_constant: float
    curve: Curve | None
    """`None` where no stronger model was recorded."""


def fit_weights(rows: Sequence[Sequence[float]], recorded: Sequence[Recorded]) -> Fitted:
    """Fit on all the rows, features and outcomes in the same order."""
    weak = fit(rows, [each.right for each in recorded], prior=_WEAK_PRIOR, ridge=_RIDGE)
    known = [
        (row, each.strong_right) for row, each in zip(rows, recorded, strict=True) if each.strong_right is not None
    ]
    if len(known) < len(recorded):
        return Fitted(weak=_named(weak), strong=None)
    picked = [[row[column] for column in _STRONG_COLUMNS] for row, _ in known]
    strong = fit(picked, [right for _, right in known], ridge=_STRONG_RIDGE)
    return Fitted(weak=_named(weak), strong=_named(strong, _STRONG_COLUMNS))


def _named(model: Logistic, columns: Sequence[int] | None = None) -> Weights:
    names = [COLUMNS[column] for column in columns or range(len(COLUMNS))]
    return Weights(intercept=model.intercept, columns=dict(zip(names, model.weights, strict=True)))


def calibrate(recorded: Sequence[Recorded], *, recover: float = 0.8, seed: int = 0) -> Calibration:
    """Calibrate one group of recorded answers.

    Where the checks do not tell right from wrong (the interval of the AUC reaches .5), the group keeps the untrained
    weights and says so in `signal`.

    Args:
        recorded: Answers of one kind of node by one model.
        recover: Share of the gap between the two models that the threshold is set to recover.
        seed: Of the split into folds, which is by question.
    """
    rows = [features(each.reading) if each.answer else [0.0] * len(COLUMNS) for each in recorded]
    labels = [each.right for each in recorded]
    held_out = _held_out(rows, recorded, seed)
    signal = measure([fitted.weak.chance(row) for fitted, row in zip(held_out, rows, strict=True)], labels)
    fitted = fit_weights(rows, recorded) if signal.found else Fitted(weak=UNTRAINED, strong=None)
    if not signal.found:
        held_out = [fitted] * len(rows)
    chances = [one.weak.chance(row) for one, row in zip(held_out, rows, strict=True)]
    urgencies = [_urgency(one, row) for one, row in zip(held_out, rows, strict=True)]
    curve = _curve(urgencies, recorded)
    base = sum(labels) / len(labels)
    first = recorded[0]
    group = Group(
        kind=first.kind,
        model=first.model,
        strong_model=first.strong_model,
        samples=len(recorded),
        weak_accuracy=base,
        strong_accuracy=curve.strong if curve else None,
        signal=signal,
        weights=fitted.weak,
        strong=fitted.strong,
        threshold=_threshold(urgencies, curve, recover),
    )
    return Calibration(
        group=group,
        urgencies=tuple(urgencies),
        brier=sum((chance - label) ** 2 for chance, label in zip(chances, labels, strict=True)) / len(labels),
        brier_constant=base * (1 - base),
        curve=curve,
    )


def _held_out(rows: Sequence[Sequence[float]], recorded: Sequence[Recorded], seed: int) -> list[Fitted]:
    """Return for each row a fit on the other folds; all answers to a question are in the same fold."""
    if all(row == rows[0] for row in rows) or len({each.question_id for each in recorded}) < 2:
        return [Fitted(weak=UNTRAINED, strong=None)] * len(rows)
    ids = sorted({each.question_id for each in recorded})
    random.Random(seed).shuffle(ids)
    fold_of = {question_id: place % FOLDS for place, question_id in enumerate(ids)}
    fits: list[Fitted] = []
    for fold in range(FOLDS):
        kept = [place for place, each in enumerate(recorded) if fold_of[each.question_id] != fold]
        fits.append(fit_weights([rows[place] for place in kept], [recorded[place] for place in kept]))
    return [fits[fold_of[each.question_id]] for each in recorded]


def _urgency(fitted: Fitted, row: Sequence[float]) -> float:
    return Group(weights=fitted.weak, strong=fitted.strong).urgency(row)


def _curve(urgencies: Sequence[float], recorded: Sequence[Recorded]) -> Curve | None:
    cases = [
        Case(urgency=urgency, kept=each.right, strong=each.strong_right)
        for urgency, each in zip(urgencies, recorded, strict=True)
        if each.strong_right is not None
    ]
    return draw_curve(cases) if len(cases) == len(recorded) else None


def _threshold(urgencies: Sequence[float], curve: Curve | None, recover: float) -> float:
    """Return the urgency at which enough of the gap is recovered; without a curve, an even chance of being wrong."""
    share = curve.cpt(recover) if curve else None
    if share is None:
        return 0.5
    ranked = sorted(urgencies, reverse=True)
    return ranked[min(len(ranked) - 1, round(share / 100 * len(ranked)))]
