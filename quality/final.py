"""Where a text states its final answer, and what it says."""

import re
from dataclasses import dataclass
from typing import Literal

from planloom.quality.number import NUMBER, read_number

_NUMBER = rf"[-−]?\s?[$€£]?\s?[-−]?(?:{NUMBER})"
_MARKED = re.compile(
    r"""(?:\#\#\#\#\s*|(?P<boxed>\\boxed\{)\s*|["']?\banswer["'*_]{0,3}\s*(?::|\bis\b:?|=)[\s*_]*)(?P<rest>[^\n]*)""",
    re.IGNORECASE,
)
_ANY = re.compile(_NUMBER)
_WRITTEN = re.compile(
    rf"(?P<number>{_NUMBER})(?:(?P<exponent>e[-+]?\d{{1,2}})\b|(?:\s(?P<over>\d{{1,6}}))?\s?/\s?(?P<under>\d{{1,6}})(?![\d/]))?",
    re.IGNORECASE,
)
_TEX_FRACTION = re.compile(r"\\[dt]?frac\{\s*([-−]?\d+)\s*\}\{\s*(\d+)\s*\}")
_GOES_ON = re.compile(
    r"\s?(?:[:/]|-\s?|–\s?|\s*(?:[,;&]|and\b|or\b|to\b)\s*(?:[a-z]\s*=\s*)?)[-−$€£]{0,2}\d"
    r"|(?:st|[nr]d|th)?(?:\s+of)?\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    re.IGNORECASE,
)
"""Behind a number: `10:30`, `2024-05-01`, `5 and 7`, `1 May`, which one number does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """A stated answer."""

    text: str
    value: float | None
    """`None` when it holds no number."""
    start: int
    how: Literal["marked", "last"]
    """After a mark such as `####`, `\\boxed{` or `"answer":`, or merely the last number of the text."""
    several: bool = False
    """It says more than `value`: a time, a date, a list."""


def find_final(text: str) -> Final | None:
    """Return the last stated answer of a text: the one after a mark if there is any, else its last number."""
    marked = [match for match in _MARKED.finditer(text) if match["rest"].strip(" \"'*$.{}`")]
    if marked:
        rest = marked[-1]["rest"].strip()
        rest = _TEX_FRACTION.sub(r"\1/\2", _inside(rest) if marked[-1]["boxed"] else rest)
        number = _WRITTEN.search(rest)
        return Final(
            text=rest[:100],
            value=_value(number) if number else None,
            start=marked[-1].start(),
            how="marked",
            several=number is not None and _GOES_ON.match(rest, number.end()) is not None,
        )
    numbers = list(_ANY.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    return Final(text=last[0].strip(), value=_read(last[0]), start=last.start(), how="last")


def _inside(text: str) -> str:
    """Return a text up to the brace that closes what stands before it."""
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if not depth:
            return text[:place].strip()
    return text


def _value(number: re.Match[str]) -> float:
    first = _read(number["number"])
    if number["exponent"]:
        return first * 10.0 ** int(number["exponent"][1:])
    under = int(number["under"] or 0)
    if not under:
        return first
    if number["over"] is None:
        return first / under
    part = int(number["over"]) / under
    return first - part if first < 0 else first + part


def _read(written: str) -> float:
    negative = "-" in written or "−" in written
    value = read_number(re.sub(r"[^\d.,]", "", written))
    return -value if negative else value
