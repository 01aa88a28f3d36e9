"""Canonical form, digests, and text that cannot be written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.json import Json, canonical, clean, digest

ANY_TEXT = st.text(st.characters(), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def test_equal_values_have_equal_digests_whatever_their_order() -> None:
    assert digest({"a": 1, "b": [1, {"c": None, "d": 2}]}) == digest({"b": [1, {"d": 2, "c": None}], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest(1) != digest("1")
    assert digest(1) != digest(True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_what_json_cannot_say_has_no_canonical_form(value: Json) -> None:
    with pytest.raises(ValueError, match="float"):
        canonical(value)
    with pytest.raises(ValueError, match="float"):
        clean(value)


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("\ud800", "\ufffd"),
        ("a\udfffb", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ({"\ud800": ["\ud800", 1.5, None, True]}, {"\ufffd": ["\ufffd", 1.5, None, True]}),
    ],
)
def test_half_a_surrogate_pair_is_replaced(value: Json, cleaned: Json) -> None:
    assert clean(value) == cleaned
    assert len(digest(value)) == 16


@given(VALUES)
def test_clean_values_can_be_written_and_stay_clean(value: Json) -> None:
    cleaned = clean(value)
    assert clean(cleaned) == cleaned
    assert json.loads(json.dumps(cleaned, ensure_ascii=False).encode()) == cleaned
