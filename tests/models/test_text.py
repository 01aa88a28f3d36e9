from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.models.text import extract_json, json_objects, loads_object


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("  [1, 2]\n", [1, 2]),
        ("42", 42),
        ("null", None),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here it is:\n```\n{"a": 1}\n```\nAnything else?', {"a": 1}),
        ('Sure! {"a": {"b": "}"}} Hope it helps.', {"a": {"b": "}"}}),
        ('{"a": [1, 2,], "b": "x,]",}', {"a": [1, 2], "b": "x,]"}),
        ('<think>maybe {"a": 0}</think>{"a": 1}', {"a": 1}),
        ('a draft {"a": 0}, and the answer {"a": 1, "b": 2}', {"a": 1, "b": 2}),
    ],
)
def test_json_is_found_in_what_models_write(text: str, value: object) -> None:
    assert extract_json(text) == value


@pytest.mark.parametrize("text", ["", "no json here", '{"a": ', '{"a": NaN}', "[" * 100_000])
def test_what_holds_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected JSON|nested"):
        extract_json(text)


@given(st.text(max_size=200))
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        extract_json(text)


def test_arguments_are_one_object_or_nothing() -> None:
    assert loads_object('{"a": 1}') == {"a": 1}
    assert loads_object(" ") == {}
    assert [loads_object(raw) for raw in ("[1]", '{"a": 1', '{"a": NaN}', "{} {}", "[" * 100_000)] == [None] * 5


def test_objects_are_found_in_prose_in_order() -> None:
    assert json_objects('x {"a": 1} y [{"b": 2}] z {"c": {"d": 3}}') == [{"a": 1}, {"c": {"d": 3}}]
