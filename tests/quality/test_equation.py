"""Equations as models write them in prose."""

from dataclasses import dataclass

import pytest

from planloom.quality.equation import evaluate, find_equations


@dataclass(frozen=True)
class Case:
    id: str
    text: str
    sides: list[list[float | None]]


CASES = [
    Case("units and money", "She gets 9 eggs * $2/egg = $18 a day.", [[18, 18]]),
    Case("chain", "15 floors x 8 units/floor x 3/4 = 36 x 3/4 = 27 units", [[90, 27, 27]]),
    Case("calculator's note", "4 * $2 = $<<4*2=8>>8.", [[8, 8], [8, 8]]),
    Case("words for signs", "12 divided by 4 equals 3, and 3 times 5, which is 15.", [[3, 3], [15, 15]]),
    Case("percent of", "20% of 50 people = 10 people", [[10, 10]]),
    Case("LaTeX", r"\frac{6}{3} \times 4 = 8", [[8, 8]]),
    Case("a variable stays unknown", "2x + 5 = 15 and (1/3) y = 4", [[None, 15], [None, 4]]),
    Case("a name for the result", "Total = 3 + 4 = 7", [[None, 7, 7]]),
    Case("minus after a word", "Total - 5 = 3", [[None, 3]]),
    Case("words in brackets", "53 (the groceries) + 4 (the tip) = 57", [[57, 57]]),
    Case("a hyphen in brackets", "600 (price) - 200 (trade-in discount) = 400", [[400, 400]]),
    Case("an operand in brackets", "(16 inches) / 4 = 2 * (1 + 1 inch)", [[4, 4]]),
    Case("a hyphen after the result", "9 + 6 = 15 extra-large shirts", [[15, 15]]),
    Case("times as many", "12 / 3 = 4, which is three times as many as 2", [[4, 4]]),
    Case("a share of something in words", "1/4 of her pens = 3, so 20% + 30% = 50% of them", [[None, 3], [0.5, 0.5]]),
    Case("dozens that may be counted already", "10 dozen * 12 = 120", [[None, 120]]),
    Case("a dash of a list", "- 40 * 20 = 800", [[800, 800]]),
    Case("the whole in brackets", "That (60 days / 15 days = 4 boxes) is all.", [[4, 4]]),
    Case("a product without a sign", "2(9 + 40) = 98", [[98, 98]]),
    Case("a bracket after words", "It is (1 - 0.5) * 4 = 2", [[2, 2]]),
    Case("euros", "1500 - 1423 = €77", [[77, 77]]),
    Case("thousands", "1,200 + 300 = 1,500.", [[1500, 1500]]),
    Case("a tight fraction divides as one", "4 cups / 1/6 cup = 24", [[24, 24]]),
    Case("no equation", "He had 5, then 3 more on 12-11.", []),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_equations_are_read_from_prose(case: Case) -> None:
    found = [[side.value for side in equation.sides] for equation in find_equations(case.text)]
    assert found == [[value if value is None else pytest.approx(value) for value in sides] for sides in case.sides]


@pytest.mark.parametrize("text", ["2 +", "9**9**9", "1/0", "__import__('os')", "(" * 500 + "1" + ")" * 500, "1e999"])
def test_what_is_no_arithmetic_is_worth_nothing(text: str) -> None:
    assert evaluate(text) is None
