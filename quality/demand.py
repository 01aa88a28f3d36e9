"""Checks of the answer against the question: its numbers, the operations its words call for, its units."""

import re
from collections import Counter

from planloom.quality.finding import Flaw
from planloom.quality.number import Quantity, same
from planloom.quality.reading import Reading, forms

_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def numbers_used(reading: Reading) -> Flaw | None:
    """Require every number of the question in the working; one merely named, or used in the head, is less of a flaw."""
    missing: list[str] = []
    severity = 0.0
    for number in reading.given_once:
        if reading.computes_with(number):
            continue
        named = any(same(form, other.value) for form in forms(number) for other in reading.written)
        severity += 0.25 if _slight(number) or reading.steps_over(number) else 0.5 if named or number.spelled else 1.0
        missing.append(reading.question[number.start : number.end].strip())
    return Flaw(min(severity, 2), "the question's numbers", f"not used: {', '.join(missing[:8])}") if missing else None


def _slight(number: Quantity) -> bool:
    """Tell whether a number is often only there to be read: `1 pound`, `the two sisters`."""
    return number.value == 1 or (number.spelled and not number.ratio and number.value in (2, 3))


def repeats_used(reading: Reading) -> Flaw | None:
    """Require a number that the question gives twice in more than one place of the working."""
    wanted = Counter(round(each.value, 6) for each in reading.given)
    found = Counter(round(operand, 6) for operand in reading.operands)
    short = [value for value, count in wanted.items() if count > 1 and found[value] < count and found[value] < 2]
    short = [value for value in short if not found[round(value / 100, 6)]]
    return Flaw(1, "both uses", ", ".join(f"{value:g}" for value in short)) if short else None


def enough_steps(reading: Reading) -> Flaw | None:
    """Require about as many operations as the question has numbers to combine."""
    operations = sum(len(each.operands) - 1 for each in reading.computations)
    wanted = len(reading.given_once) - 1
    return Flaw(min(wanted - operations, 2), f"{wanted} operations", str(operations)) if wanted > operations else None


_CALLS_FOR = (
    (r"\b(?:fewer|less|left|remain\w*|gave|gives|lost|loses|ate|change|rest)\b", "-", "a subtraction"),
    (r"\b(?:total|altogether|in all|combined|sum)\b", "+*", "a sum or product"),
    (r"\b(?:each|every|per|apiece|times|twice)\b", "*/", "a product or quotient"),
    (r"\baverage\b", "/", "a quotient"),
)


def operations(reading: Reading) -> Flaw | None:
    """Require the operations that the question's words call for: "left" a subtraction, "each" a product or quotient."""
    if not reading.computations:
        return None
    signs = {sign for each in reading.computations for sign in each.operations}
    asked = reading.question.lower()
    missing = [what for words, any_of, what in _CALLS_FOR if re.search(words, asked) and not signs & set(any_of)]
    return Flaw(min(len(missing), 2), " and ".join(missing), "not in the working") if missing else None


_CLOSING_CHARS = 160
_UNIT_STEPS = (
    ("minute", "hour", (60,)), ("seconds", "minute", (60,)), ("hour", "day", (24,)), ("day", "week", (7, 5, 6, 2)),
    ("week", "month", (4, 30)), ("month", "year", (12,)), ("week", "year", (52,)), ("inch", "feet", (12,)),
    ("ounce", "pound", (16,)), ("cent", "dollar", (100,)),
)  # fmt: skip
_ASKED = re.compile(
    r"how many\s+(?:more |total |fewer |other |different |of (?:the|his|her|their) )*([a-z]+)(?:\s+([a-z]+))?"
)


def units(reading: Reading) -> Flaw | None:
    """Require the asked unit in the closing line, and the step between two units that the question names."""
    if not reading.question:
        return None
    asked = _ASKED.search(_SENTENCE.split(reading.question.strip())[-1].lower())
    closing = reading.body[-_CLOSING_CHARS:].lower().replace("$", "dollars ")
    if asked and not any(_stem(noun) in closing for noun in asked.groups() if noun):
        return Flaw(1, f"an answer in {asked[1]}", closing[-100:])
    for small, large, steps in _UNIT_STEPS:
        if _names(reading.question, small) and _names(reading.question, large) and not _steps(reading, steps):
            return Flaw(0.5, f"the step from {small} to {large}", "not in the working")
    return None


def _stem(noun: str) -> str:
    return noun[:-3] if noun.endswith("ies") else noun[:-2] if noun.endswith("es") else noun.rstrip("s")


def _names(question: str, unit: str) -> bool:
    return re.search(rf"\b{unit}(?:s|ly|es)?\b", question, re.IGNORECASE) is not None


def _steps(reading: Reading, steps: tuple[int, ...]) -> bool:
    return any(same(operand, step) or same(operand * step, 1) for operand in reading.operands for step in steps)
