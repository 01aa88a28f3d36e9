"""Cost against quality: what accuracy follows when the least certain answers go to a stronger model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """One place on the curve."""

    share: float
    """Share of the questions that went to the strong model."""
    accuracy: float
    recovered: float
    """PGR: (accuracy - weak) / (strong - weak)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question as the router sees it afterwards."""

    urgency: float
    """How much it should go up; the highest goes first."""
    kept: bool
    """Whether the answer that is kept without a strong call is right."""
    strong: bool
    """Whether the strong model's answer is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points from no strong call to all of them."""

    weak: float
    """Accuracy of the weak model alone: where PGR is 0."""
    strong: float
    points: tuple[Point, ...]

    @property
    def apgr(self) -> float:
        """Area under PGR over the share of strong calls; .5 when questions are sent up at random."""
        return sum((b.share - a.share) * (a.recovered + b.recovered) / 2 for a, b in pairwise(self.points))

    def cpt(self, recovered: float) -> float | None:
        """Return the share of strong calls, in percent, at which PGR first reaches `recovered`; `None` if never."""
        if self.points[0].recovered >= recovered:
            return 0.0
        for a, b in pairwise(self.points):
            if a.recovered < recovered <= b.recovered:
                return 100 * (a.share + (b.share - a.share) * (recovered - a.recovered) / (b.recovered - a.recovered))
        return None

    @property
    def best(self) -> Point:
        """The most accurate point, of several the cheapest."""
        return max(self.points, key=lambda point: (point.accuracy, -point.share))

    def at(self, share: float) -> Point:
        """Return the last point with at most that share of strong calls."""
        return max((point for point in self.points if point.share <= share + 1e-9), key=lambda point: point.share)


def draw_curve(cases: Sequence[Case], *, weak: float | None = None) -> Curve:
    """Send up the most urgent cases first; cases of equal urgency go up together.

    Args:
        cases: At least one.
        weak: Accuracy where PGR is 0; `None` takes that of the answers kept.
    """
    count = len(cases)
    strong = sum(case.strong for case in cases) / count
    base = sum(case.kept for case in cases) / count if weak is None else weak
    gap = strong - base
    points = [
        Point(share, accuracy, (accuracy - base) / gap if gap else 0.0) for share, accuracy in _accuracies(cases, count)
    ]
    return Curve(weak=base, strong=strong, points=tuple(points))


def _accuracies(cases: Sequence[Case], count: int) -> Iterator[tuple[float, float]]:
    right = sum(case.kept for case in cases)
    sent = 0
    yield 0.0, right / count
    ordered = sorted(cases, key=lambda case: -case.urgency)
    for _, group in groupby(ordered, key=lambda case: round(case.urgency, 9)):
        for case in group:
            sent += 1
            right += case.strong - case.kept
        yield sent / count, right / count
