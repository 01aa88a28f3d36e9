import pytest

from planloom.models.structured import strict_schema

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_a_closed_schema_is_strict_already() -> None:
    assert strict_schema(CLOSED) == CLOSED


def test_an_object_whose_properties_are_all_required_is_closed() -> None:
    inner = {"type": "object", "properties": {"b": {"type": ["integer", "null"]}}, "required": ["b"]}
    schema = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": inner}, "either": {"anyOf": [inner, {"type": "null"}]}},
        "required": ["list", "either"],
    }
    strict = strict_schema(schema)
    assert strict is not None
    assert strict["additionalProperties"] is False
    assert strict["properties"]["list"]["items"]["additionalProperties"] is False
    assert strict["properties"]["either"]["anyOf"][0]["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": []},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 3}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"a": True}, "required": ["a"]},
        {"type": "array", "items": CLOSED},
        {"anyOf": [CLOSED]},
    ],
)
def test_a_schema_that_strictness_would_change_stays_loose(schema) -> None:
    assert strict_schema(schema) is None


def test_the_schema_given_is_not_changed() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert strict_schema(schema) is not None
    assert "additionalProperties" not in schema
