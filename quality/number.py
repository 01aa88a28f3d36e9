"""Numbers as people and models write them in prose: `$1,200.50`, `25%`, `1/2`, `forty-two`, `two thirds`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
"""A number without sign or currency, in digits."""

_DIGITS = re.compile(
    rf"""(?<![\w.\#])(?P<money>\$\s?)?(?P<number>{NUMBER})
    (?:(?P<percent>\s?%|\s+percent\b)|(?P<cents>\s?¢|\s+cents?\b)|(?P<clock>:\d\d|\s?[ap]\.?m\b|\s+o['’]clock|(?:st|[nr]d|th)\b))?""",
    re.VERBOSE | re.IGNORECASE,
)
_FRACTION = re.compile(r"(?<![\d./])(?:(\d{1,3})\s)?(\d{1,3})/(\d{1,3})(?![\d/])")

_UNITS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "dozen": 12, "dozens": 12}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
    "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10,
}  # fmt: skip
_TIMES = {"half": 0.5, "twice": 2, "double": 2, "doubled": 2, "thrice": 3, "triple": 3, "tripled": 3}


def _any(words: dict[str, int] | dict[str, float]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_PART = re.compile(rf"\b(an?|{_any(_UNITS)})[\s-]({_any(_PARTS)})\b", re.IGNORECASE)
_SPELLED = re.compile(
    rf"\b(?:({_any(_TENS)})(?:[\s-]({_any(_UNITS)}))?|({_any(_UNITS)}))(?:\s+({_any(_SCALES)}))?\b", re.IGNORECASE
)
_TIMES_WORD = re.compile(rf"\b(?:{_any(_TIMES)}|dozens?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number in a text."""

    value: float
    """What it is worth: `25%` is 25."""
    start: int
    end: int
    percent: bool = False
    cents: bool = False
    spelled: bool = False
    """Written as a word."""
    ratio: bool = False
    """A fraction, such as `3/4` or `two thirds`, or a multiple: `twice`, `half`."""


def read_number(text: str) -> float:
    """Return the worth of digits such as `1,200.50`."""
    return float(text.replace(",", ""))


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text in their order; a fraction is one number.

    A bare `one`, times of day, `2nd` and `#7` are none.
    """
    found: dict[int, Quantity] = {}
    taken: set[int] = set()
    for reader in (_fractions, _in_digits, _parts, _in_words, _multiples):
        fresh = [each for each in reader(text) if each.start not in taken]
        found.update((each.start, each) for each in fresh)
        taken.update(place for each in fresh for place in range(each.start, each.end))
    return [found[start] for start in sorted(found)]


def _fractions(text: str) -> Iterator[Quantity]:
    for match in _FRACTION.finditer(text):
        if int(match[3]):
            value = int(match[1] or 0) + int(match[2]) / int(match[3])
            yield Quantity(value=value, start=match.start(), end=match.end(), ratio=True)


def _in_digits(text: str) -> Iterator[Quantity]:
    for match in _DIGITS.finditer(text):
        if not match["clock"]:
            yield Quantity(
                value=read_number(match["number"]),
                start=match.start(),
                end=match.end(),
                percent=bool(match["percent"]),
                cents=bool(match["cents"]),
            )


def _parts(text: str) -> Iterator[Quantity]:
    for match in _PART.finditer(text):
        count = _UNITS.get(match[1].lower(), 1)
        value = count / _PARTS[match[2].lower()]
        yield Quantity(value=value, start=match.start(), end=match.end(), spelled=True, ratio=True)


def _in_words(text: str) -> Iterator[Quantity]:
    for match in _SPELLED.finditer(text):
        tens, unit, alone, scale = (group.lower() if group else "" for group in match.groups())
        value = (_TENS.get(tens, 0) + _UNITS.get(unit or alone, 0)) * _SCALES.get(scale, 1)
        if value != 1:
            cents = re.match(r"\s+cents?\b", text[match.end() : match.end() + 8]) is not None
            yield Quantity(value=value, start=match.start(), end=match.end(), spelled=True, cents=cents)


def _multiples(text: str) -> Iterator[Quantity]:
    for match in _TIMES_WORD.finditer(text):
        word = match[0].lower()
        value = _TIMES.get(word, 12)
        yield Quantity(value=value, start=match.start(), end=match.end(), spelled=True, ratio=word in _TIMES)


def same(one: float, other: float) -> bool:
    """Tell whether two numbers are equal up to the noise of floating point."""
    return abs(one - other) <= 1e-6 * max(1.0, abs(one), abs(other))
