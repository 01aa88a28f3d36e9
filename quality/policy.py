"""What a calibration found: how to score an answer, and from where on it goes to a stronger model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planloom.quality.logistic import sigmoid
from planloom.quality.reading import Reading
from planloom.quality.score import COLUMNS, features
from planloom.quality.signal import Signal

_DATED = re.compile(r"-20\d\d-?[01]\d-?[0-3]\d$")
PRIOR_ACCURACY = 1.0
"""Log-odds of an answer in which no check found anything wrong, before calibration: about three of four are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Log-odds as a weighted sum over the columns of a score; columns that are not named weigh nothing."""

    intercept: float
    columns: Mapping[str, float]

    def chance(self, values: Sequence[float]) -> float:
        """Return the probability for one row of `features`."""
        named = zip(COLUMNS, values, strict=True)
        return sigmoid(self.intercept + sum(self.columns.get(name, 0.0) * value for name, value in named))


UNTRAINED = Weights(intercept=PRIOR_ACCURACY, columns={"score": 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The policy for one kind of node on one rung."""

    kind: str = "*"
    model: str = ""
    strong_model: str = ""
    samples: int = 0
    weak_accuracy: float | None = None
    strong_accuracy: float | None = None
    signal: Signal | None = None
    """How well the score tells right from wrong on rows it was not fitted to; `None` when nothing was measured."""
    weights: Weights = UNTRAINED
    strong: Weights | None = None
    """Chance that the stronger model would be right; `None` when it was never recorded."""
    threshold: float = 0.0
    """Urgency from which on an answer goes up."""

    def urgency(self, values: Sequence[float]) -> float:
        """Return what going up is expected to gain, in accuracy; without a stronger model on record, 1 - chance."""
        ahead = 1.0 if self.strong is None else self.strong.chance(values)
        return ahead - self.weights.chance(values)


PRIOR = Group(threshold=0.5)
"""What is believed of a model that nothing was measured of: what is more likely wrong than right goes up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The group that weighs a node's answers on a rung."""

    group: Group
    set_aside: str = ""
    """Why what was fitted is not used, and the prior is; empty where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a policy says of one answer."""

    chance: float
    """Probability that the answer is right."""
    urgency: float
    goes_up: bool
    stronger: float | None = None
    """Probability that the stronger model's would be; `None` where it was never recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Groups; the first that fits decides."""

    created: str
    """Date, ISO 8601."""
    groups: tuple[Group, ...]

    def group(self, *, kind: str = "*", model: str = "") -> Group | None:
        """Return the group for a kind of node on a model; one for `*` or for no model named fits all."""
        fitting = (g for g in self.groups if g.kind in ("*", kind) and g.model in ("", model))
        return next(fitting, None)

    def choose(self, *, kind: str, models: Sequence[str], stronger: Sequence[str]) -> Choice | None:
        """Return what weighs the answers of a kind of node; `None` where no group is about that kind.

        Args:
            kind: The node's id.
            models: Names of the model that answers: its rung's, its own with and without the provider.
            stronger: The same of all models that may be asked next.
        """
        about = [group for group in self.groups if group.kind in ("*", kind)]
        if not about:
            return None
        fitting = next((group for group in about if not group.model or _is_one(group.model, models)), None)
        if fitting is None:
            fitted = ", ".join(dict.fromkeys(group.model for group in about))
            return Choice(group=PRIOR, set_aside=f"it was fitted for {fitted}, and this is {models[-1]}")
        if fitting.strong is not None and fitting.strong_model and not _is_one(fitting.strong_model, stronger):
            reason = f"it was fitted for going up to {fitting.strong_model}, which is not on the ladder"
            return Choice(group=PRIOR, set_aside=reason)
        if fitting.signal is None or not fitting.signal.found:
            return Choice(group=PRIOR, set_aside="it has no signal for this kind of node")
        return Choice(group=fitting)


def _is_one(fitted: str, names: Sequence[str]) -> bool:
    """Tell whether a model's name in a policy is one of these: as such, dated by its provider, or as in a rehearsal."""
    plain = _DATED.sub("", fitted)
    return any(name in (fitted, plain) or f"rehearsal/{name}" == fitted for name in names)


def judge(group: Group, reading: Reading) -> Verdict:
    """Score an answer and say whether it goes up."""
    values = features(reading)
    urgency, stronger = group.urgency(values), group.strong.chance(values) if group.strong is not None else None
    chance = group.weights.chance(values)
    return Verdict(chance=chance, urgency=urgency, goes_up=urgency >= group.threshold, stronger=stronger)
