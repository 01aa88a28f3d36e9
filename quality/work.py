"""Checks on the working: equations that hold, steps that lead from the question's numbers to the answer."""

import math
from collections.abc import Sequence
from itertools import pairwise

from planloom.quality.equation import Equation, Side
from planloom.quality.finding import Flaw
from planloom.quality.form import SHARE
from planloom.quality.number import same
from planloom.quality.reading import Reading, forms, one_step

_STEPS = (2.0, 7.0, 12.0, 60.0, 100.0)
_COMMON = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 7.0, 10.0, 12.0, 16.0, 24.0, 30.0, 52.0, 60.0, 100.0, 365.0, 1000.0)
"""Numbers that need no source: halves, dozens, units of time and money."""


def arithmetic(reading: Reading) -> Flaw | None:
    """Recompute every equation, `a op b = c`; one that does not hold and ends in the answer is twice the flaw.

    A result may be rounded to the decimals it is written with.
    """
    broken = [(text, equation) for equation in reading.equations for text in _broken(equation)]
    distinct = list(dict.fromkeys(text for text, _ in broken))
    final = reading.final.value if reading.final else None
    answers = final is not None and any(_same_known(equation.result, final) for _, equation in broken)
    severity = 2 if answers else min(len(distinct), 2)
    return Flaw(severity, "equations that hold", "; ".join(distinct[:3])) if distinct else None


def _same_known(value: float | None, other: float) -> bool:
    return value is not None and same(value, other)


def _broken(equation: Equation) -> list[str]:
    known = [side for side in equation.sides if side.value is not None]
    pairs = pairwise(known)
    return [f"{left.text} = {right.text}, not {left.value:g}" for left, right in pairs if not _holds(left, right)]


def _holds(left: Side, right: Side) -> bool:
    """Tell whether two sides agree; only a computation claims anything: `1 pound = 16 ounces` does not."""
    if left.value is None or right.value is None or len(left.operands) < 2:
        return True
    if len(right.operands) > 1 and same(left.value, right.operands[0]):
        return True  # `2 + 2 = 4 x 6 = 24`: run on, each part of it right
    whole = same(left.value, round(left.value))
    rounding = 0.0 if whole and not right.decimals else 0.5 * 10.0**-right.decimals
    if left.decimals >= 2:
        rounding = max(rounding, 10.0**-left.decimals)
    if abs(left.value - right.value) <= rounding + 1e-6 * max(1.0, abs(left.value)):
        return True
    return any(same(left.value * step, right.value) or same(left.value, right.value * step) for step in _UNIT_STEPS)


_UNIT_STEPS = (7, 12, 16, 24, 60, 100, 1000)
"""A side may be in another unit: `2 x 1 hour = 120 minutes`, `3/8 = 37.5%`."""


def _leads_to(result: float, final: float) -> bool:
    """Tell whether an answer is a result, in percent, cents or rounded to the whole number above or below."""
    return any(
        same(value, final) or (not same(value, round(value)) and final in (math.floor(value), math.ceil(value)))
        for value in (result, result * 100)
    )


def derived(reading: Reading) -> Flaw | None:
    """Require that the stated answer is the result of a computation in the text, best of the last one."""
    final = reading.final
    if final is None or final.value is None:
        return None
    results = [each.result for each in reading.computations if each.result is not None]
    stated = [each.result for each in reading.equations if each.sides[0].value is None and each.result is not None]
    if not results and not stated:
        return Flaw(2, "a computation", "none") if reading.given else None
    if not any(_leads_to(result, final.value) for result in (*results, *stated)):
        return Flaw(1.5, f"the result of a computation, such as {(results or stated)[-1]:g}", final.text)
    if results and not _leads_to(results[-1], final.value) and not _leads_to((stated or results)[-1], final.value):
        return Flaw(0.5, f"the last result, {results[-1]:g}", final.text)
    return None


def steps_used(reading: Reading) -> Flaw | None:
    """Require that each result is the answer or goes into a later computation."""
    final = reading.final.value if reading.final else None
    loose: list[float] = []
    for each in reading.computations:
        result = each.result
        if result is None or each.open or (final is not None and _leads_to(result, final)) or _among(result, loose):
            continue
        if not _among(result, reading.operands):
            loose.append(result)
    found = ", ".join(f"{result:g}" for result in loose[:5])
    return Flaw(min(len(loose), 2), "results that are used", found) if loose else None


def _among(value: float, others: Sequence[float]) -> bool:
    return any(same(abs(value), abs(other)) for other in others)


def grounded(reading: Reading) -> Flaw | None:
    """Require that each number computed with is the question's, a result, a common constant or one step from these."""
    given = [form for each in reading.given for form in forms(each)]
    results: list[float] = []
    strange: list[float] = []
    for each in reading.computations:
        for operand in reading.unexplained if not each.open else ():
            if operand in each.operands and not _among(operand, (*_COMMON, *strange)):
                known = [*given, *results, *_STEPS]
                strange += [] if one_step(operand, known, {round(value, 6) for value in known}) else [operand]
        if each.result is not None:
            results.append(each.result)
    if not strange or not reading.given:
        return None
    return Flaw(min(len(strange), 2), "numbers with a source", ", ".join(f"{one:g}" for one in strange[:5]))


def solved(reading: Reading) -> Flaw | None:
    """Require sides that can be worked out: an equation that keeps a variable is a flaw."""
    open_sides = [each.text for equation in reading.equations for each in equation.sides[1:] if each.value is None]
    return Flaw(1, "sides that can be worked out", "; ".join(open_sides[:3])) if open_sides else None


def even_steps(reading: Reading) -> Flaw | None:
    """Require whole intermediate results where the question's numbers are whole and it asks for no share."""
    if any(not same(each.value, round(each.value)) for each in reading.given) or SHARE.search(reading.question):
        return None
    values = [each.result for each in reading.computations if each.result is not None]
    uneven = [value for value in values if not same(value, round(value))]
    return Flaw(1, "whole results", ", ".join(f"{value:g}" for value in uneven[:5])) if uneven else None
