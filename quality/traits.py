"""Traits of a question: what makes it harder for any model, whatever the answer looks like."""

import math
import re
from collections.abc import Callable, Mapping

from planloom.quality.reading import Reading

_BACKWARD = re.compile(r"\b(?:initially|originally|original|at first|began?|start\w*|before|ago)\b", re.IGNORECASE)
_COMPARES = re.compile(r"\b(?:than|as many|as much)\b", re.IGNORECASE)

TRAITS: Mapping[str, Callable[[Reading], float]] = {
    "length": lambda reading: 2 * (math.log1p(len(reading.question)) - 5.0),
    "numbers": lambda reading: 2 * (math.log1p(len(reading.given)) - 1.5),
    "percent": lambda reading: float(any(each.percent for each in reading.given)),
    "fraction": lambda reading: float(any(0 < each.value < 1 for each in reading.given)),
    "backward": lambda reading: float(bool(_BACKWARD.search(reading.question))),
    "compares": lambda reading: float(min(len(_COMPARES.findall(reading.question)), 3)),
}
"""Numbers near 0. They tell where a stronger model would fail too; only a calibration gives them weight."""
