"""Logistic regression by Newton's method, drawn towards weights that are believed beforehand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_STEPS = 40
MAX_HALVINGS = 20
MIN_GAIN = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """Log-odds = intercept + weights x features."""

    intercept: float
    weights: tuple[float, ...]

    def log_odds(self, features: Sequence[float]) -> float:
        """Return the log-odds of one row."""
        return self.intercept + sum(w * x for w, x in zip(self.weights, features, strict=True))


def sigmoid(log_odds: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, log_odds))))


def fit(
    rows: Sequence[Sequence[float]],
    labels: Sequence[bool],
    *,
    prior: Sequence[float] = (),
    ridge: Sequence[float] | float,
) -> Logistic:
    """Fit by maximum a posteriori.

    Args:
        rows: Features of one case each.
        labels: What happened in each case.
        prior: Weights that are believed beforehand; empty for all 0.
        ridge: How strongly each weight is drawn towards its prior, as a precision. The intercept is free.
    """
    width = len(rows[0]) if rows else 0
    mean = [0.0, *(prior or [0.0] * width)]
    pull = [1e-3, *([ridge] * width if isinstance(ridge, float | int) else ridge)]
    weights = list(mean)
    design = [[1.0, *row] for row in rows]

    def loss(at: Sequence[float]) -> float:
        drawn = sum(p * (w - m) ** 2 for p, w, m in zip(pull, at, mean, strict=True)) / 2
        return drawn + sum(_surprise(_dot(at, row), label) for row, label in zip(design, labels, strict=True))

    lowest = loss(weights)
    for _ in range(MAX_STEPS):
        gradient = [p * (m - w) for p, m, w in zip(pull, mean, weights, strict=True)]
        hessian = [[pull[i] if i == j else 0.0 for j in range(width + 1)] for i in range(width + 1)]
        for row, label in zip(design, labels, strict=True):
            _add_case(gradient, hessian, row, label, sigmoid(_dot(weights, row)))
        step = solve(hessian, gradient)
        # A whole step from far away may overshoot for ever; the loss is convex, so a part of it always helps.
        parts = ([w + d / 2**halved for w, d in zip(weights, step, strict=True)] for halved in range(MAX_HALVINGS))
        better: tuple[float, list[float]] | None = next(((low, at) for at in parts if (low := loss(at)) < lowest), None)
        if better is None or lowest - better[0] < MIN_GAIN:
            break
        lowest, weights = better
    return Logistic(intercept=weights[0], weights=tuple(weights[1:]))


def _dot(weights: Sequence[float], row: Sequence[float]) -> float:
    return sum(w * x for w, x in zip(weights, row, strict=True))


def _surprise(log_odds: float, label: bool) -> float:
    """Return the negative logarithm of the probability that was given to what happened."""
    against = -log_odds if label else log_odds
    return max(against, 0.0) + math.log1p(math.exp(-abs(against)))


def _add_case(
    gradient: list[float], hessian: list[list[float]], row: Sequence[float], label: bool, chance: float
) -> None:
    spread = chance * (1 - chance)
    filled = [(index, value) for index, value in enumerate(row) if value]
    for i, x in filled:
        gradient[i] += x * (label - chance)
        line = hessian[i]
        for j, y in filled:
            line[j] += spread * x * y


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve a linear system by Gaussian elimination with pivoting."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda r: abs(rows[r][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for below in range(column + 1, size):
            factor = rows[below][column] / rows[column][column]
            if factor:
                rows[below] = [a - factor * b for a, b in zip(rows[below], rows[column], strict=True)]
    solution = [0.0] * size
    for row in reversed(range(size)):
        known = sum(rows[row][k] * solution[k] for k in range(row + 1, size))
        solution[row] = (rows[row][size] - known) / rows[row][row]
    return solution
