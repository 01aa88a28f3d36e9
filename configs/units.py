"""Values people write with units: `30s`, `5m`, `200k`, `500/min`."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema


@dataclass(frozen=True, slots=True)
class Words:
    """What error messages and the reference call a type."""

    text: str
    short: str = ""
    """For tables."""
    hide: bool = False
    """Never show a wrong value: it may be a secret put in the wrong place."""


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SCALE = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_PER_MINUTE = {"/min": 1, "/s": 60, "": 1}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
_COUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)([kMG]?)")

DURATION = "seconds or a duration such as 500ms, 30s, 5m, 1h30m"
COUNT = "a whole number from 1, or one such as 200k or 2M"
RATE = "a rate such as 500/min or 10/s"


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    total, end = 0.0, 0
    while match := _DURATION.match(text, end):
        total, end = total + float(match[1]) * _SECONDS[match[2]], match.end()
    if not end or end != len(text):
        raise ValueError(f"expected {DURATION}")
    return total


def _whole(text: str) -> int | None:
    match = _COUNT.fullmatch(text)
    number = float(match[1]) * _SCALE[match[2]] if match else 0.5
    return int(number) if number.is_integer() else None


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    number = _whole(value.strip())
    if number is None:
        raise ValueError(f"expected {COUNT}")
    return number


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    number, slash, unit = value.strip().partition("/")
    per_unit = _whole(number.strip())
    if per_unit is None or slash + unit.strip() not in _PER_MINUTE:
        raise ValueError(f"expected {RATE}")
    return per_unit * _PER_MINUTE[slash + unit.strip()]


def read_duration(text: str) -> float:
    """Return the seconds that `30d`, `12h` or a plain number means, 0 included and with no upper limit.

    Raises:
        ValueError: It is no duration.
    """
    seconds = _duration(text)
    if not isinstance(seconds, float):
        raise ValueError(f"expected {DURATION}")
    return seconds


Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    Field(gt=0, le=31_536_000, allow_inf_nan=False),
    Words(DURATION, "duration"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 31_536_000},
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$|^\d+(\.\d+)?$"},
            ]
        }
    ),
]
"""Seconds, written as a number or as `500ms`, `30s`, `5m`, `1h30m`."""

Count = Annotated[
    int,
    BeforeValidator(_count),
    Field(ge=1, le=10**15),
    Words(COUNT, "count"),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?[kMG]?$"}]}
    ),
]
"""A whole number from 1, written plainly or as `200k`, `2M`."""

PerMinute = Annotated[
    int,
    BeforeValidator(_rate),
    Field(ge=1, le=10**15),
    Words(RATE, "rate"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?[kMG]?(/(s|min))?$"},
            ]
        }
    ),
]
"""A rate per minute, written as `500/min`, `10/s` or a plain number per minute."""
