"""The policy file: what a calibration found, as YAML that people read and keep under version control."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from planloom.configs.load import read_document
from planloom.configs.spec import Spec
from planloom.configs.validate import check
from planloom.configs.write import as_yaml
from planloom.core.errors import ConfigError
from planloom.core.json import Json, JsonObject
from planloom.quality.policy import UNTRAINED, Group, Policy, Weights
from planloom.quality.score import COLUMNS
from planloom.quality.signal import Signal

_HEAD = (
    "# Written by `planloom calibrate`. `weights` give the log-odds that an answer is right, `strong` that the\n"
    "# stronger model's would be; an answer goes up when that chance is larger by `threshold`.\n"
)


class _Weights(Spec):
    intercept: float = Field(allow_inf_nan=False)
    columns: dict[str, float]


class _Signal(Spec):
    found: bool
    auc: float
    low: float
    high: float
    right: int = Field(ge=0)
    wrong: int = Field(ge=0)


class _Group(Spec):
    kind: str = "*"
    model: str = ""
    strong_model: str = ""
    samples: int = Field(default=0, ge=0)
    weak_accuracy: float | None = Field(default=None, ge=0, le=1)
    strong_accuracy: float | None = Field(default=None, ge=0, le=1)
    signal: _Signal | Literal["no signal"] = "no signal"
    auc: float | None = None
    threshold: float = Field(allow_inf_nan=False)
    weights: _Weights
    strong: _Weights | None = None


class _Policy(Spec):
    version: Literal[1]
    created: str
    groups: list[_Group] = Field(min_length=1)


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        ConfigError: It cannot be read, or does not fit; every problem is named with its line.
    """
    document = read_document(path)
    checked = check(_Policy, document, None)
    problems = [*checked.problems]
    if checked.spec is not None:
        problems += [
            document.problem(f"groups[{index}].{part}.columns.{name}", f"no check or trait of the name {name!r}")
            for index, group in enumerate(checked.spec.groups)
            for part, weights in (("weights", group.weights), ("strong", group.strong))
            for name in (weights.columns if weights else ())
            if name not in COLUMNS
        ]
    if checked.spec is None or problems:
        raise ConfigError(path, problems)
    return Policy(created=checked.spec.created, groups=tuple(_group(group) for group in checked.spec.groups))


def _group(spec: _Group) -> Group:
    found = spec.signal
    signal = (
        None
        if isinstance(found, str)
        else Signal(auc=found.auc, low=found.low, high=found.high, right=found.right, wrong=found.wrong)
    )
    return Group(
        kind=spec.kind,
        model=spec.model,
        strong_model=spec.strong_model,
        samples=spec.samples,
        weak_accuracy=spec.weak_accuracy,
        strong_accuracy=spec.strong_accuracy,
        signal=signal,
        weights=_weights(spec.weights) or UNTRAINED,
        strong=_weights(spec.strong),
        threshold=spec.threshold,
    )


def _weights(spec: _Weights | None) -> Weights | None:
    return Weights(intercept=spec.intercept, columns=dict(spec.columns)) if spec else None


def policy_text(policy: Policy) -> str:
    """Return the file of a policy."""
    groups: list[Json] = [_group_json(group) for group in policy.groups]
    return _HEAD + as_yaml({"version": 1, "created": policy.created, "groups": groups})


def _group_json(group: Group) -> JsonObject:
    signal = group.signal
    known: JsonObject = {
        "kind": group.kind,
        "model": group.model,
        "strong_model": group.strong_model,
        "samples": group.samples,
        "weak_accuracy": _short(group.weak_accuracy),
        "strong_accuracy": _short(group.strong_accuracy),
        "signal": _signal_json(signal) if signal and signal.found else "no signal",
        "auc": _short(signal.auc) if signal and not signal.found else None,
        "threshold": _short(group.threshold),
        "weights": _weights_json(group.weights),
        "strong": _weights_json(group.strong) if group.strong else None,
    }
    return {key: value for key, value in known.items() if value not in (None, "")}


def _signal_json(signal: Signal) -> JsonObject:
    return {
        "found": True,
        "auc": _short(signal.auc),
        "low": _short(signal.low),
        "high": _short(signal.high),
        "right": signal.right,
        "wrong": signal.wrong,
    }


def _weights_json(weights: Weights) -> JsonObject:
    columns: Mapping[str, float] = weights.columns
    return {
        "intercept": _short(weights.intercept),
        "columns": {name: _short(value) for name, value in columns.items()},
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
