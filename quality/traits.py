"""Traits of a question: what makes it harder for any model, whatever the answer looks like."""

import math
import re
from collections.abc import Callable, Mapping

from planloom.quality.reading import Reading

_BACKWARD = re.compile(r"\b(?:initially|originally|original|at first|began?|start\w*|before|ago)\b", re.IGNORECASE)
_COMPARES = re.compile(r"\b(?:than|as many|as much)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:how|what|find|calculate|determine)\b", re.IGNORECASE)


def _asked(reading: Reading) -> float:
    """Return how many numbers stand in what is asked: one in `how many miles does she run in 7 hours?`."""
    begins = max((match.start() for match in _ASKS.finditer(reading.question)), default=len(reading.question))
    return float(min(sum(each.start > begins for each in reading.given), 2))


def _decimals(reading: Reading) -> float:
    return float(any("." in reading.question[each.start : each.end] for each in reading.given))


TRAITS: Mapping[str, Callable[[Reading], float]] = {
    "length": lambda reading: 2 * (math.log1p(len(reading.question)) - 5.0),
    "numbers": lambda reading: 2 * (math.log1p(len(reading.given)) - 1.5),
    "percent": lambda reading: float(any(each.percent for each in reading.given)),
    "fraction": lambda reading: float(any(0 < each.value < 1 for each in reading.given)),
    "decimals": _decimals,
    "asked": _asked,
    "backward": lambda reading: float(bool(_BACKWARD.search(reading.question))),
    "compares": lambda reading: float(min(len(_COMPARES.findall(reading.question)), 3)),
}
"""Numbers near 0; only a calibration gives them weight. They tell where a stronger model would fail too, or be marked
as if it did: `50 miles in 7 hours` and `$20.00` are misread by many a grader."""
