"""Contradictions between claims, found by code: values of the same subject that differ, and statements denied.

What is found is a reason to look, and not a proof: a moderator may rule that both claims hold. What is missed is free
text that says the same thing in other words.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import TypeAlias

from planloom.core.board import Board, Claim, ClaimId
from planloom.core.json import Json, JsonObject
from planloom.core.quantity import ratio
from planloom.core.statement import Figure, Statement, read_date, read_figure, read_statement, read_subject

_TERM_CHARS = 60
"""A text up to this long is a term, such as `high` or `not found`; a longer one is prose, which is not compared."""
_FLOAT_NOISE = 1e-9
_NUMBER_KINDS = (int, float)
_TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}

_Measure: TypeAlias = Figure | date


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two claims that cannot both hold, and why."""

    claims: tuple[ClaimId, ClaimId]
    subject: str
    reason: str

    def as_json(self) -> JsonObject:
        """Shape shown to models."""
        return {"claims": [*self.claims], "subject": self.subject, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class _Read:
    """A claim with its statement read once."""

    claim: Claim
    subject: tuple[str, ...]
    statement: Statement


def contradictions(board: Board, *, tolerance: float) -> tuple[Contradiction, ...]:
    """Return the pairs of standing claims that contradict each other, in the order they were written.

    Pairs that the moderator ruled to hold both are left out.

    Args:
        board: The board.
        tolerance: Relative difference up to which two numbers say the same.
    """
    both = {frozenset(ruling.claims) for ruling in board.rulings if ruling.keep == "both"}
    read = [_Read(claim, read_subject(claim.subject), read_statement(claim.statement)) for claim in board.standing]
    found: list[Contradiction] = []
    for one, other in _comparable(read):
        pair = (one.claim.id, other.claim.id)
        if frozenset(pair) not in both and (reason := _reason(one, other, tolerance)):
            found.append(Contradiction(claims=pair, subject=one.claim.subject, reason=reason))
    return tuple(found)


def _comparable(read: Sequence[_Read]) -> Iterator[tuple[_Read, _Read]]:
    """Yield the pairs that are about the same subject, or say it of the same words."""
    order = {item.claim.id: index for index, item in enumerate(read)}
    pairs: dict[tuple[int, int], tuple[_Read, _Read]] = {}
    for group in _groups(read):
        for one, other in combinations(group, 2):
            pairs[order[one.claim.id], order[other.claim.id]] = (one, other)
    yield from (pairs[key] for key in sorted(pairs))


def _groups(read: Iterable[_Read]) -> Iterator[list[_Read]]:
    by_subject: dict[tuple[str, ...], list[_Read]] = {}
    by_words: dict[tuple[str, ...], list[_Read]] = {}
    for item in read:
        by_subject.setdefault(item.subject, []).append(item)
        if item.statement.stands_alone:
            by_words.setdefault(item.statement.words, []).append(item)
    yield from by_subject.values()
    yield from by_words.values()


def _reason(one: _Read, other: _Read, tolerance: float) -> str:
    """Say why two claims cannot both hold; empty when they can, as far as code can tell."""
    a, b = one.claim.value, other.claim.value
    if one.subject == other.subject and a is not None and b is not None:
        if reason := _values_differ(a, b, tolerance):
            return reason
    elif one.subject == other.subject and (reason := _measures_differ(one, other, tolerance)):
        return reason
    return _statements_differ(one.statement, other.statement, tolerance)


def _values_differ(a: Json, b: Json, tolerance: float) -> str:
    a, b = _truth(a), _truth(b)
    if isinstance(a, dict) and isinstance(b, dict):
        parts = ((key, _values_differ(a[key], b[key], tolerance)) for key in a if key in b)
        return next((f"{key}: {reason}" for key, reason in parts if reason), "")
    if isinstance(a, list) and isinstance(b, list):
        return _lists_differ(a, b, tolerance)
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return "" if a is b else f"values differ: {_shown(a)} and {_shown(b)}"
    x, y = _measure(a), _measure(b)
    if x is not None and y is not None:
        return _differ(x, y, tolerance)
    if isinstance(a, str) and isinstance(b, str):
        return _terms_differ(a, b)
    return f"values differ in type: {_shown(a)} and {_shown(b)}"


def _truth(value: Json) -> Json:
    return _TRUTHS.get(value.strip().casefold(), value) if isinstance(value, str) else value


def _lists_differ(a: list[Json], b: list[Json], tolerance: float) -> str:
    if len(a) != len(b):
        return f"lists differ: {len(a)} items and {len(b)} items"
    if all(isinstance(item, str) for item in (*a, *b)):
        a, b = sorted(a, key=str), sorted(b, key=str)  # of names, the order says nothing
    parts = ((index, _values_differ(x, y, tolerance)) for index, (x, y) in enumerate(zip(a, b, strict=True)))
    return next((f"[{index}]: {reason}" for index, reason in parts if reason), "")


def _terms_differ(a: str, b: str) -> str:
    if max(len(a), len(b)) > _TERM_CHARS or read_subject(a) == read_subject(b):
        return ""
    return f"values differ: {_shown(a)} and {_shown(b)}"


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _TERM_CHARS + 2 else f"{text[:_TERM_CHARS]}..."


def _measure(value: Json) -> _Measure | None:
    """Return the number, quantity or day that a value is."""
    if isinstance(value, _NUMBER_KINDS) and not isinstance(value, bool):
        return Figure(value=float(value))
    if isinstance(value, str):
        return read_date(value.strip()) or read_figure(value)
    return None


def _differ(a: _Measure, b: _Measure, tolerance: float) -> str:
    if isinstance(a, Figure) and isinstance(b, Figure):
        times = ratio(a.unit, b.unit) if a.unit and b.unit else 1.0
        if times is None or _close(a.value * times, b.value, tolerance):
            return ""
        return f"numbers differ: {_figure(a)} and {_figure(b)}"
    if isinstance(a, date) and isinstance(b, date):
        return "" if a == b else f"dates differ: {a} and {b}"
    return ""


def _figure(figure: Figure) -> str:
    return f"{figure.value:.10g} {figure.unit}".strip()


def _close(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= max(tolerance, _FLOAT_NOISE) * max(abs(a), abs(b))


def _measures_differ(one: _Read, other: _Read, tolerance: float) -> str:
    """Compare the one number or day that each claim gives, as its value or in its statement."""
    a, b = _only_measure(one), _only_measure(other)
    if a is None or b is None:
        return ""
    bare = one.claim.value is None and other.claim.value is None
    if bare and isinstance(a, Figure) and isinstance(b, Figure) and ratio(a.unit, b.unit) is None:
        return ""  # the words behind tell different things
    return _differ(a, b, tolerance)


def _only_measure(read: _Read) -> _Measure | None:
    if read.claim.value is not None:
        return _measure(read.claim.value)
    given: list[_Measure] = [*read.statement.figures, *read.statement.dates]
    return given[0] if len(given) == 1 else None


def _statements_differ(a: Statement, b: Statement, tolerance: float) -> str:
    """Compare two statements of the same words: one denies the other, or its figures are others."""
    if not a.words or a.words != b.words:
        return ""
    reasons = [_differ(x, y, tolerance) for x, y in zip(a.figures, b.figures, strict=True)]
    reasons += [_differ(x, y, tolerance) for x, y in zip(a.dates, b.dates, strict=True)]
    found = next((reason for reason in reasons if reason), "")
    if a.denied != b.denied:
        return "" if found else "one denies what the other says"
    return found
