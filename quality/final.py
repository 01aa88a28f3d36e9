"""Where a text states its final answer, and what it says."""

import re
from dataclasses import dataclass
from typing import Literal

from planloom.quality.number import NUMBER, read_number

_NUMBER = rf"[-−]?\s?[$€£]?\s?[-−]?(?:{NUMBER})"
_MARKED = re.compile(
    r"""(?:\#\#\#\#\s*|\\boxed\{{\s*|["']?\banswer["']?\s*(?::|\bis\b:?|=)\s*)(?P<rest>[^\n]*)""", re.IGNORECASE
)
_ANY = re.compile(_NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """A stated answer."""

    text: str
    value: float | None
    """`None` when it holds no number."""
    start: int
    how: Literal["marked", "last"]
    """After a mark such as `####`, `\\boxed{` or `"answer":`, or merely the last number of the text."""


def find_final(text: str) -> Final | None:
    """Return the last stated answer of a text: the one after a mark if there is any, else its last number."""
    marked = [match for match in _MARKED.finditer(text) if match["rest"].strip(" \"'*$.{}`")]
    if marked:
        rest = marked[-1]["rest"].strip()
        number = _ANY.search(rest)
        return Final(
            text=rest[:100],
            value=_read(number[0]) if number else None,
            start=marked[-1].start(),
            how="marked",
        )
    numbers = list(_ANY.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    return Final(text=last[0].strip(), value=_read(last[0]), start=last.start(), how="last")


def _read(written: str) -> float:
    negative = "-" in written or "−" in written
    value = read_number(re.sub(r"[^\d.,]", "", written))
    return -value if negative else value
