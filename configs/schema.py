"""The JSON Schema of workflow files, for editors and validators: `planloom schema` prints it."""

import json
from itertools import combinations
from pathlib import Path
from typing import cast

from planloom.configs.json_schema import META_SCHEMA_ID
from planloom.configs.rules import TOOL_KINDS
from planloom.configs.spec import WorkflowSpec
from planloom.core.json import Json, JsonObject

SCHEMA_ID = "urn:planloom:workflow:1"
SCHEMA_FILE = Path(__file__).with_name("workflow.schema.json")
_CHECK_KINDS = ("expr", "regex", "code", "ref", "agree", "judge")
_ENV: JsonObject = {
    "type": "string",
    "pattern": r"^\$\{env:[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}$",
    "description": "`${env:NAME}` or `${env:NAME:-default}`",
}
_BARE = ("integer", "number", "boolean")


def workflow_schema() -> JsonObject:
    """Return the schema, draft 2020-12."""
    schema = cast(JsonObject, WorkflowSpec.model_json_schema(by_alias=True))
    defs = _part(schema, "$defs")
    _exactly_one(_part(defs, "ToolSpec"), TOOL_KINDS)
    _exactly_one(_part(defs, "CheckSpec"), _CHECK_KINDS)
    _node_kinds(_part(defs, "NodeSpec"))
    _access(_part(defs, "ToolSpec"))
    _plan(schema)
    for model in (schema, *defs.values()):
        if isinstance(model, dict) and "properties" in model:
            _allow_env(_part(model, "properties"))
            _close_names(_part(model, "properties"))
    _part(schema, "properties")["version"] = {"const": 1, "description": "Version of this format."}
    _part(_part(defs, "RungSpec"), "properties")["model"] = _rung_model(defs)
    defs["Env"] = _ENV
    schema["title"] = "Planloom workflow"
    return {"$schema": META_SCHEMA_ID, "$id": SCHEMA_ID, **schema}


def schema_text() -> str:
    """Return the schema as the committed file has it."""
    return json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"


def _part(schema: JsonObject, key: str) -> JsonObject:
    part = schema[key]
    if not isinstance(part, dict):
        raise TypeError(f"{key!r} of the schema is no object")
    return part


def _given(key: str) -> JsonObject:
    """A schema that holds when `key` is there and not null."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _exactly_one(schema: JsonObject, keys: tuple[str, ...]) -> None:
    schema["oneOf"] = [_given(key) for key in keys]


def _node_kinds(schema: JsonObject) -> None:
    goal: JsonObject = {"required": ["goal"], "properties": {"goal": {"pattern": r"\S"}}}
    schema["anyOf"] = [goal, _given("tool"), _given("code")]
    pairs = combinations(("tool", "code", "panel"), 2)
    schema["not"] = {"anyOf": [{"allOf": [_given(one), _given(other)]} for one, other in pairs]}


def _access(schema: JsonObject) -> None:
    schema["if"] = {"required": ["access"]}
    schema["then"] = {"anyOf": [{"required": ["files"]}, {"required": ["sql"]}]}


def _plan(schema: JsonObject) -> None:
    some: JsonObject = {"required": ["nodes"], "properties": {"nodes": {"minProperties": 1}}}
    schema["allOf"] = [
        {"if": _plan_is("static"), "then": some},
        {"if": _plan_is("auto"), "then": {"not": some}},
    ]


def _plan_is(plan: str) -> JsonObject:
    return {"required": ["plan"], "properties": {"plan": {"const": plan}}}


def _rung_model(defs: JsonObject) -> JsonObject:
    rung = _part(_part(defs, "RungSpec"), "properties")["model"]
    described: JsonObject = dict(rung) if isinstance(rung, dict) else {}
    described.pop("minLength", None)
    return {**described, "pattern": r"^(openai|rehearsal):.|\$\{env:"}


def _allow_env(properties: JsonObject) -> None:
    """Let `${env:NAME}` stand where a number, a boolean or one of a few words is expected."""
    for value in properties.values():
        if not isinstance(value, dict):
            continue
        options = value.get("anyOf")
        if isinstance(options, list):
            if any(_is_closed(option) for option in options):
                options.append({"$ref": "#/$defs/Env"})
        elif _is_closed(value):
            closed: JsonObject = {key: value.pop(key) for key in list(value) if key not in _ABOUT}
            value["anyOf"] = [closed, {"$ref": "#/$defs/Env"}]


def _close_names(properties: JsonObject) -> None:
    """Refuse names that do not fit the pattern of a mapping's names."""
    for value in properties.values():
        if isinstance(value, dict) and "patternProperties" in value:
            value["additionalProperties"] = False


_ABOUT = ("title", "description", "default")


def _is_closed(schema: Json) -> bool:
    return isinstance(schema, dict) and (schema.get("type") in _BARE or "enum" in schema or "const" in schema)
