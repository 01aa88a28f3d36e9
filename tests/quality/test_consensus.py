"""Consensus: canonical effects, who wins, when to stop, and what is kept of those outvoted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.quality.consensus import Vote, effect_of, json_effect, lead_confidence, weigh


@pytest.mark.parametrize(
    "text", ["#### $1,200.00", "So the answer is 1200.", '{"answer": "1200"}', "It is 1,200 pens."]
)
def test_the_same_number_has_the_same_effect_however_it_is_written(text: str) -> None:
    assert effect_of(text) == "1200"


def test_json_has_one_text_whatever_its_order_and_floats() -> None:
    assert json_effect({"b": [1.0, True], "a": None}) == json_effect({"a": None, "b": [1, True]})
    assert effect_of("I do not know.") is None


@pytest.mark.parametrize(
    "texts",
    [
        ["Answer: 3/4", "#### 0.75", "so it is \\boxed{\\frac{3}{4}} of all 8", "**Answer**: 3/4"],
        ["Answer: 1 1/2", "answer: 1.5"],
        ["answer: 1.5e3", "#### 1,500"],
        ["**Answer:** Paris", "\\boxed{Paris}", "answer: paris."],
    ],
)
def test_one_answer_is_one_effect_in_every_notation(texts: list[str]) -> None:
    assert len({effect_of(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Answer: 3/4", "Answer: 3/5"),
        ("Answer: 10:30", "Answer: 10:45"),
        ("Answer: 2024-05-01", "Answer: 2024-06-01"),
        ("Answer: 1 May", "Answer: 1 June"),
        ("x is one of both. Answer: 5 and 7", "Answer: 5 and 9"),
    ],
)
def test_answers_that_only_begin_with_the_same_number_do_not_agree(one: str, other: str) -> None:
    assert effect_of(one) != effect_of(other)


def test_noise_in_the_last_digits_and_ways_to_compose_a_letter_are_no_disagreement() -> None:
    assert json_effect({"sum": 0.1 + 0.2, "\u00e9": "\u00e9"}) == json_effect({"sum": 0.3, "e\u0301": "e\u0301"})
    assert json_effect(0.3) != json_effect(0.3001)


def test_agreement_beats_one_answer_without_a_flaw() -> None:
    found = weigh([Vote(effect="7", log_odds=1.0), Vote(effect="8", log_odds=-1.0), Vote(effect="8", log_odds=0.0)])
    assert found.winner == 2
    assert found.log_odds == pytest.approx(3.0 - math.log1p(math.e))


def test_of_two_that_differ_the_better_checked_wins_but_little_speaks_for_it() -> None:
    found = weigh([Vote(effect="7", log_odds=-2.0), Vote(effect="8", log_odds=1.0)])
    assert found.winner == 1
    assert found.log_odds < weigh([Vote(effect="8", log_odds=1.0)]).log_odds
    assert found.log_odds < weigh([Vote(effect="8", log_odds=1.0), Vote(effect="8", log_odds=-2.0)]).log_odds - 3


def test_answers_without_effect_win_nothing() -> None:
    found = weigh([Vote(effect=None), Vote(effect=None)])
    assert (found.winner, found.log_odds) == (None, -math.inf)


@given(st.integers(0, 20), st.integers(0, 20))  # more, and the rest to 1 is lost in rounding
def test_the_confidence_in_a_lead_mirrors_that_in_the_other_side(first: int, second: int) -> None:
    assert lead_confidence(first, second) + lead_confidence(second, first) == pytest.approx(1)
    assert lead_confidence(first + 1, second) > lead_confidence(first, second)
