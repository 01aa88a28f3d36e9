"""Numbers as people write them."""

import pytest

from planloom.quality.number import quantities


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("$1,200.50 and 25% of 40", [1200.5, 25, 40]),
        ("forty-two bales, twenty sacks, three hundred boxes", [42, 20, 300]),
        ("two thirds of them, half as many, twice the price", [2 / 3, 0.5, 2]),
        ("1/4 of a dozen", [0.25, 12]),
        ("the third player left at 5 PM, one by one", []),
        ("1 1/2 pies and 11/8 of the price", [1.5, 1.375]),
        ("the 2nd of them is horse #7, her 30th", []),
        ("A5 paper, version 2.5.1", [2.5]),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, values: list[float]) -> None:
    assert [each.value for each in quantities(text)] == pytest.approx(values)


def test_a_number_remembers_that_it_was_percent_or_cents() -> None:
    percent, cents = quantities("20% of 75 cents")
    assert (percent.percent, cents.cents) == (True, True)
