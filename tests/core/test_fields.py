import pytest

from planloom.core.fields import covers, has_field, read_field, write_field
from planloom.core.json import Json, JsonObject
from planloom.core.refs import parse_ref


@pytest.mark.parametrize("text", ["id", "[].id", "items[].id", "page.ids[]", "a-b[][].c", "[][].id"])
def test_a_field_is_written_as_it_is_read(text: str) -> None:
    assert write_field(read_field(text)) == text


@pytest.mark.parametrize("text", ["", "[]", ".id", "id.", "a..b", "a[0]", "[*].id", "a b", "id\n", "a[]b", "$.id"])
def test_anything_else_is_no_field(text: str) -> None:
    with pytest.raises(ValueError, match="expected a field such as id"):
        read_field(text)


@pytest.mark.parametrize(
    ("field", "path", "covered"),
    [
        ("id", "id", True),
        ("id", "id.part", True),
        ("[].id", "[3].id", True),
        ("a.b", "a", False),
        ("[].id", "id", False),
        ("[].id", "['[]'].id", False),
        ("id", "[0]", False),
        ("id", "name", False),
    ],
)
def test_a_path_leads_to_a_field_or_into_it(field: str, path: str, covered: bool) -> None:
    dot = "" if path.startswith("[") else "."
    assert covers(read_field(field), parse_ref(f"nodes.a.output{dot}{path}").path) is covered


PERSON: JsonObject = {
    "$defs": {"Person": {"type": "object", "properties": {"id": {}, "boss": {"$ref": "#/$defs/Person"}}}},
    "type": "array",
    "items": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
}


@pytest.mark.parametrize(
    ("schema", "field", "there"),
    [
        (PERSON, "[].id", True),
        (PERSON, "[].boss.boss.id", True),
        (PERSON, "[].name", False),
        (PERSON, "id", False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "id", True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "id.x", False),
        ({"type": "string"}, "id", False),
        ({}, "anything[].id", True),
        (True, "id", True),
        (False, "id", False),
    ],
)
def test_a_schema_has_room_for_a_field_or_not(schema: Json, field: str, there: bool) -> None:
    assert has_field(schema, read_field(field)) is there
