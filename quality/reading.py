"""An answer, read once: what the checks on text look at."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from planloom.core.json import Json
from planloom.quality.equation import Equation, Side, find_equations
from planloom.quality.final import Final, find_final
from planloom.quality.number import Quantity, quantities, same

MAX_CHARS = 20_000
"""Longer texts are read up to here, from the end: that is where the answer is."""

MAX_GIVEN, MAX_WRITTEN, MAX_UNEXPLAINED = 200, 1000, 20
"""Numbers that are looked at: checks compare each with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """An expression that the text works out."""

    text: str
    operands: tuple[float, ...]
    result: float | None
    """What the text says it comes to; `None` when it does not say."""
    open: bool = False
    """It holds words or variables."""

    @property
    def operations(self) -> set[str]:
        """Its signs: `+`, `-`, `*`, `/`."""
        return {sign for sign in "+-*/" if sign in self.text.replace("/100)", ")")}


@dataclass(frozen=True)
class Reading:
    """A question, the text that answers it, and what the answer may rest on."""

    text: str
    question: str = ""
    sources: Sequence[str] = ()
    """Texts that the answer may cite."""
    tools: Mapping[str, Callable[[Json], str]] = field(default_factory=dict[str, Callable[[Json], str]])
    """Tools that may be called; each function says what is wrong with arguments, nothing when they fit its schema."""

    @cached_property
    def body(self) -> str:
        """The text, bounded."""
        return self.text[-MAX_CHARS:]

    @cached_property
    def final(self) -> Final | None:
        """The stated answer."""
        return find_final(self.body)

    @cached_property
    def equations(self) -> list[Equation]:
        """Equations of the answer, in their order."""
        return find_equations(self.body)

    @cached_property
    def given(self) -> list[Quantity]:
        """Numbers of the question."""
        return quantities(self.question[:MAX_CHARS])[:MAX_GIVEN]

    @cached_property
    def given_once(self) -> list[Quantity]:
        """Numbers of the question, each value once."""
        return list({round(each.value, 9): each for each in reversed(self.given)}.values())[::-1]

    @cached_property
    def written(self) -> list[Quantity]:
        """Numbers of the answer."""
        return quantities(self.body)[-MAX_WRITTEN:]

    @cached_property
    def computations(self) -> list[Computation]:
        """What the text works out, each once: a calculator's note repeats the equation it stands in."""
        found: dict[tuple[float, ...], Computation] = {}
        for equation in self.equations:
            for place, side in enumerate(equation.sides):
                if len(side.operands) > 1:
                    key = (*sorted(side.operands), *map(ord, sorted(set(side.text) & set("+-*/"))))
                    found.setdefault(key, _computation(equation.sides, place, side))
        return list(found.values())

    @cached_property
    def operands(self) -> list[float]:
        """Numbers that went into a computation, or into an equation with a variable."""
        unsolved = [each for each in self.equations if any(side.value is None for side in each.sides)]
        solved = [operand for each in self.computations for operand in each.operands]
        return solved + [operand for each in unsolved for side in each.sides[1:] for operand in side.operands]

    def computes_with(self, number: Quantity) -> bool:
        """Tell whether a number of the question went into a computation, in any of its forms."""
        return any(same(form, operand) for form in forms(number) for operand in self.operands)

    @cached_property
    def unexplained(self) -> list[float]:
        """Operands that are neither numbers of the question nor results."""
        known = _rounded(self._sources)
        return [operand for operand in self.operands if round(abs(operand), 6) not in known][:MAX_UNEXPLAINED]

    @cached_property
    def _sources(self) -> list[float]:
        results = [abs(each.result) for each in self.computations if each.result is not None]
        return [*(form for number in self.given for form in forms(number)), *results]

    def steps_over(self, number: Quantity) -> bool:
        """Tell whether a step was taken in the head: an operand is this number combined with another that is known."""
        others = [form for each in self.given if each.start != number.start for form in forms(each)]
        results = [abs(each.result) for each in self.computations if each.result is not None]
        known = _rounded([*others, *results])
        return any(one_step(value, forms(number), known) for value in self.unexplained)


def one_step(value: float, numbers: Iterable[float], others: Collection[float]) -> bool:
    """Tell whether one of the numbers and one of the others (rounded to 6 decimals) give a value, by any of `+-*/`."""
    for number in numbers:
        needed = [value - number, number - value, value + number, value * number]
        if value and number:
            needed += [value / number, number / value]
        if any(round(each, 6) in others for each in needed):
            return True
    return False


def _rounded(values: Iterable[float]) -> set[float]:
    return {round(value, 6) for value in values}


def _computation(sides: Sequence[Side], place: int, side: Side) -> Computation:
    said = next((each.value for each in sides[place + 1 :] if each.value is not None), None)
    result = side.value if said is None else said
    return Computation(text=side.text, operands=side.operands, result=result, open=side.value is None)


def forms(number: Quantity) -> list[float]:
    """Return the values a number of the question may take in a computation: `25%` is 25, 0.25, 0.75 and 1.25."""
    value = number.value
    if number.cents:
        return [value, value / 100]
    if number.percent:
        return [value, value / 100, 1 - value / 100, 1 + value / 100, 100 - value, 100 + value]
    if 0 < value < 1 or (number.ratio and not same(value, round(value))):
        return [value, 1 / value, abs(1 - value), *_ratio(value)]
    return [value]


def _ratio(value: float) -> list[float]:
    """Return numerator and denominator of a simple fraction, which a text may compute with one by one."""
    for below in range(2, 13):
        if same(round(value * below), value * below):
            return [float(below)]
    return []
