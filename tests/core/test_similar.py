"""How like two texts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.similar import similarities

TEXTS = st.lists(st.sampled_from(["rain", "snow", "in", "Oslo", "the"]), max_size=6).map(" ".join)


@given(TEXTS, st.lists(TEXTS, max_size=4))
def test_it_is_a_share_and_whole_for_the_same_words(text: str, others: list[str]) -> None:
    found = similarities(text, [*others, text])
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in found)
    assert found[-1] == pytest.approx(1.0 if text else 0.0)


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    rain, filler, _, none = similarities("the rain", ["rain x", "the x", "the y", "poem"])
    assert rain > filler > none == 0.0
