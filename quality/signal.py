"""Whether a score tells right from wrong at all: the area under its ROC curve, with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.96
_MIN_EACH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How well a score separates right from wrong answers."""

    auc: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    right: int
    wrong: int

    @property
    def found(self) -> bool:
        """Whether the interval lies above .5, with enough cases of both kinds to say so."""
        return self.low > 0.5 and min(self.right, self.wrong) >= _MIN_EACH


def measure(scores: Sequence[float], labels: Sequence[bool]) -> Signal:
    """Return the AUC (Mann-Whitney, ties count half) with the interval of Hanley and McNeil (1982)."""
    right = sum(labels)
    wrong = len(labels) - right
    if not right or not wrong:
        return Signal(auc=0.5, low=0.0, high=1.0, right=right, wrong=wrong)
    auc = (_rank_sum(scores, labels) - right * (right + 1) / 2) / (right * wrong)
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = (auc * (1 - auc) + (right - 1) * (q1 - auc * auc) + (wrong - 1) * (q2 - auc * auc)) / (right * wrong)
    margin = _Z * math.sqrt(max(variance, 0.0))
    return Signal(auc=auc, low=auc - margin, high=auc + margin, right=right, wrong=wrong)


def _rank_sum(scores: Sequence[float], labels: Sequence[bool]) -> float:
    order = sorted(range(len(scores)), key=lambda index: scores[index])
    total, start = 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        total += sum(labels[index] for index in order[start:end]) * (start + end + 1) / 2
        start = end
    return total
