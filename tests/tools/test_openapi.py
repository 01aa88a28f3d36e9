"""An OpenAPI document as typed tools that cannot be led astray."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from webserver import Server, answer, redirect, serving

from planloom.configs.load import Workflow
from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.base import Tool
from planloom.tools.openapi_operation import tool_name
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

CRM = """\
openapi: 3.0.3
info: {title: CRM, version: "1"}
security: [{token: []}]
paths:
  /v1/contacts:
    get:
      operationId: listContacts
      summary: List contacts.
      description: The newest first.
      parameters:
        - {$ref: "#/components/parameters/Limit"}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: ids, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: where, in: query, style: deepObject, schema: {type: object, additionalProperties: {type: string}}}
        - {name: free, in: query, schema: {type: object, additionalProperties: {type: string}}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object}}}}
        - {name: api_key, in: query, schema: {type: string}}
        - {name: X-Team, in: header, schema: {type: string}}
        - {name: Authorization, in: header, required: true, schema: {type: string}}
        - {name: X-Forwarded-For, in: header, schema: {type: string}}
        - {name: session, in: cookie, schema: {type: string}}
    post:
      operationId: createContact
      parameters: [{name: Idempotency-Key, in: header, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Contact"}}}
  /v1/contacts/{contact.id}:
    parameters: [{name: contact.id, in: path, required: true, schema: {type: string}}]
    get: {operationId: readContact, security: [{}, {key: []}]}
    put:
      operationId: replaceContact
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object}}}}
    delete: {operationId: deleteContact, parameters: [{name: body, in: query, schema: {type: boolean}}]}
  /v1/upload:
    post: {operationId: upload, requestBody: {content: {multipart/form-data: {schema: {type: object}}}}}
  /health: {get: {security: []}}
components:
  parameters:
    Limit: {name: limit, in: query, description: How many., schema: {type: integer, minimum: 0, exclusiveMinimum: true}}
  schemas:
    Contact:
      type: object
      required: [id, name]
      properties:
        id: {type: string, readOnly: true}
        name: {type: string, example: Ann}
        nick: {type: string, nullable: true, pattern: "^(?!x)"}
        boss: {$ref: "#/components/schemas/Contact"}
        team: {nullable: true, allOf: [{$ref: "#/components/schemas/Team"}]}
    Team: {type: object, additionalProperties: false, properties: {lead: {$ref: "#/components/schemas/Contact"}}}
  securitySchemes:
    token: {type: http, scheme: bearer}
    key: {type: apiKey, in: query, name: api_key}
"""
AUTH = {"token": "s3cret-token", "key": "s3cret-key"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


def made(
    folder: Path, text: str = CRM, url: str = "https://crm.test", file: str = "crm.yaml", **http: object
) -> Toolbox:
    (folder / file).write_text(text, encoding="utf-8")
    spec = HttpSpec.model_validate({"openapi": file, "base_url": url, "auth": AUTH, "private": True, **http})
    return Toolbox({"crm": ToolSpec(http=spec)}, base_dir=folder, sandbox=Sandbox())


@asynccontextmanager
async def crm(folder: Path, server: Server, **http: object) -> AsyncIterator[Toolbox]:
    async with made(folder, url=server.url, **{"allow": ("GET /*", "POST /*", "PUT /*", "DELETE /*"), **http}) as box:
        yield box


def tool(box: Toolbox, name: str) -> Tool:
    return box.tools[ToolName(f"crm.{name}")]


async def call(box: Toolbox, name: str, args: JsonObject, **more: str) -> Json:
    return await box.call(ToolName(f"crm.{name}"), args, **more)


def test_without_rules_the_operations_that_read_are_granted(tmp_path: Path) -> None:
    assert list(made(tmp_path).tools) == ["crm.listContacts", "crm.readContact", "crm.get_health"]


@pytest.mark.parametrize(
    ("http", "names"),
    [
        ({"allow": ("GET /v1/*",)}, ["listContacts", "readContact"]),
        ({"allow": ("GET /v1/contacts/*", "DELETE /v1/contacts/*")}, ["readContact", "deleteContact"]),
        ({"operations": ("createContact", "listContacts")}, ["createContact", "listContacts"]),
        ({"allow": ("POST /*",)}, ["createContact"]),
    ],
)
def test_what_the_workflow_names_is_granted_and_no_more(tmp_path: Path, http: JsonObject, names: list[str]) -> None:
    assert list(made(tmp_path, **http).tools) == [f"crm.{name}" for name in names]


def test_parameters_are_typed_and_none_that_is_secret_is_offered(tmp_path: Path) -> None:
    listed = tool(made(tmp_path), "listContacts")
    assert listed.parameters == {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "exclusiveMinimum": 0, "description": "How many."},
            "tag": {"type": "array", "items": {"type": "string"}},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "where": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "additionalProperties": {"type": "string"}},
            "filter": {"type": "object"},
            "X-Team": {"type": "string"},
        },
        "required": [],
        "additionalProperties": False,
    }
    assert listed.description.startswith("List contacts.\nThe newest first.\n")


def test_a_body_keeps_its_circles_and_leaves_out_what_only_the_server_sets(tmp_path: Path) -> None:
    create = tool(made(tmp_path, operations=("createContact",)), "createContact")
    assert create.parameters["properties"] == {"body": {"$ref": "#/$defs/Contact"}}
    assert create.parameters["$defs"] == {
        "Contact": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "nick": {"type": ["string", "null"]},
                "boss": {"$ref": "#/$defs/Contact"},
                "team": {"anyOf": [{"allOf": [{"$ref": "#/$defs/Team"}]}, {"type": "null"}]},
            },
        },
        "Team": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"lead": {"$ref": "#/$defs/Contact"}},
        },
    }


def test_effects_and_control_follow_the_method(tmp_path: Path) -> None:
    box = made(tmp_path, allow=("GET /*", "POST /*", "PUT /*", "DELETE /*"))
    marks = {name: (t.effect, t.idempotent, t.idempotency_parameter, t.controls) for name, t in box.tools.items()}
    assert marks == {
        "crm.listContacts": ("read", False, None, frozenset()),
        "crm.createContact": ("write", False, "idempotency_key", frozenset()),
        "crm.readContact": ("read", False, None, frozenset()),
        "crm.replaceContact": ("write", True, None, {"contact.id"}),
        "crm.deleteContact": ("write", True, None, {"contact.id", "query_body"}),
        "crm.get_health": ("read", False, None, frozenset()),
    }


async def test_each_value_travels_as_the_document_says(server: Server, tmp_path: Path) -> None:
    async with crm(tmp_path, server) as box:
        query: JsonObject = {
            "limit": 2,
            "tag": ["a b", "c&d"],
            "ids": [1, 2],
            "where": {"x": "1"},
            "filter": {"a": True},
        }
        await call(box, "listContacts", {**query, "free": {"k": "v"}, "X-Team": "red"})
        await call(box, "readContact", {"contact.id": "a b.é;?#%"})
        await call(box, "replaceContact", {"contact.id": "1", "body": {"a": ["x", "y"][0], "b": 2}})
        await call(box, "deleteContact", {"contact.id": "1", "query_body": True})
        await call(box, "createContact", {"body": {"name": "Ann", "boss": {"name": "Bo"}}}, idempotency_key="k7")
    lines = [seen.line.removesuffix(" HTTP/1.1") for seen in server.seen]
    assert lines == [
        "GET /v1/contacts?limit=2&tag=a+b&tag=c%26d&ids=1%7C2&where%5Bx%5D=1&k=v&filter=%7B%22a%22%3A+true%7D",
        "GET /v1/contacts/a%20b.%C3%A9%3B%3F%23%25?api_key=s3cret-key",
        "PUT /v1/contacts/1",
        "DELETE /v1/contacts/1?body=true",
        "POST /v1/contacts",
    ]
    assert server.seen[0].headers["x-team"] == "red"
    assert server.seen[2].headers["content-type"] == "application/x-www-form-urlencoded"
    assert server.seen[2].body == b"a=x&b=2"
    assert json.loads(server.seen[4].body) == {"name": "Ann", "boss": {"name": "Bo"}}
    assert server.seen[4].headers["idempotency-key"] == "k7"


async def test_secrets_go_with_the_operation_that_needs_them_and_are_never_shown(
    server: Server, tmp_path: Path
) -> None:
    server.answers["/v1/contacts/1?api_key=s3cret-key"] = redirect("/v1/contacts/2?api_key=s3cret-key")
    server.answers["/v1/contacts/2?api_key=s3cret-key"] = answer(b'{"key": "s3cret-key"}', kind="application/json")
    async with crm(tmp_path, server) as box:
        found = await call(box, "readContact", {"contact.id": "1"})
        await call(box, "listContacts", {})
        await call(box, "get_health", {})
        shown = json.dumps([found, *box.catalogue()])
    assert "s3cret" not in shown
    assert isinstance(found, dict)
    assert found["json"] == {"key": "***"}
    assert [seen.headers.get("authorization") for seen in server.seen] == [None, None, "Bearer s3cret-token", None]


@pytest.mark.parametrize(
    "value",
    [
        *("..", ".", "", "a/b", "../../admin", "..\\x", "a\\b", "%2e%2e", "%2E%2E%2Fadmin", "a%2fb", "a%5cb", "..;x"),
        *("a\r\nX: y", "a\0b", "/", "//evil.test/", ["..", "x/y"]),
    ],
)
async def test_no_value_leaves_its_segment_of_the_path(server: Server, tmp_path: Path, value: Json) -> None:
    text = faulty("contact.id, in: path, required: true, schema: {type: string}", "contact.id, in: path")
    async with made(tmp_path, text, server.url) as box:
        with pytest.raises(ToolError):
            await call(box, "readContact", {"contact.id": value})
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("listContacts", {"api_key": "mine"}),
        ("listContacts", {"Authorization": "Bearer mine"}),
        ("listContacts", {"X-Forwarded-For": "1.1.1.1"}),
        ("listContacts", {"free": {"limit": "1000"}}),
        ("listContacts", {"X-Team": "a\r\nAuthorization: mine"}),
        ("listContacts", {"X-Team": "ü"}),
        ("listContacts", {"limit": 0}),
        ("listContacts", {"limit": "1"}),
        ("createContact", {"body": {"nick": "no name"}}),
        ("createContact", {}),
        ("createContact", {"body": {"name": "x"}, "Idempotency-Key": "mine"}),
        ("createContact", {"body": {"name": "x"}, "idempotency_key": "mine"}),
        ("readContact", {}),
        ("deleteContact", {"contact.id": "1", "body": {"a": 1}}),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    server: Server, tmp_path: Path, name: str, args: JsonObject
) -> None:
    async with crm(tmp_path, server) as box:
        with pytest.raises(ToolError):
            await call(box, name, args)
    assert server.seen == []


async def test_a_redirect_to_what_is_not_granted_is_refused(server: Server, tmp_path: Path) -> None:
    server.answers["/health"] = redirect("/v1/contacts")
    async with crm(tmp_path, server, allow=("GET /health",)) as box:
        with pytest.raises(ToolError, match="is not allowed"):
            await call(box, "get_health", {})
    assert len(server.seen) == 1


def faulty(line: str, by: str) -> str:
    assert line in CRM
    return CRM.replace(line, by)


FAULTS = {
    "remote reference": ('"#/components/parameters/Limit"', '"https://evil.test/x.yaml#/a"', "crm.yaml:11:18: .*not r"),
    "file reference": ('"#/components/parameters/Limit"', '"../../etc/passwd"', r"crm.yaml:11:18: .*\$ref.*not r"),
    "reference to nothing": ('"#/components/parameters/Limit"', '"#/components/parameters/L"', "where nothing is"),
    "circle": ("Limit: {name: limit,", 'Limit: {$ref: "#/components/parameters/Limit", name: limit,', "in a circle"),
    "version": ("openapi: 3.0.3", 'openapi: "2.0"', "crm.yaml:1:10: openapi: expected version 3.0 or 3.1"),
    "no version": ("openapi: 3.0.3\n", "", "expected version 3.0 or 3.1, found none"),
    "paths": ("paths:", "paths: []\nx-paths:", "no operation of the document is allowed"),
    "operation": ("get: {security: []}", "get: 3", r"crm.yaml:\d+:\d+: paths.*expected a mapping"),
    "parameter place": ("name: tag, in: query", "name: tag, in: body", "crm.yaml:12:11: .*expected in: path"),
    "schema": ("{type: array, items: {type: string}}", "{type: many}", r"listContacts|crm.yaml:6:5: .*its schema"),
    "schema shape": ("{type: array, items: {type: string}}", "3", "expected a schema, found 3"),
    "missing hole": ("/v1/contacts/{contact.id}:", "/v1/contacts/{id}:", "not in both"),
    "twice": ("operationId: readContact", "operationId: listContacts", "each operationId once"),
    "yaml": ("paths:", "paths: [", r"crm.yaml:\d+:\d+: "),
    "no mapping": (CRM, "[]", "expected an OpenAPI document"),
    "json": (CRM, "{broken", "crm.yaml: not readable as JSON"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_the_document_names_file_line_and_field(tmp_path: Path, kind: str) -> None:
    line, by, message = FAULTS[kind]
    with pytest.raises(ConfigError, match=message) as caught:
        made(tmp_path, faulty(line, by))
    assert caught.value.problems[0].field.startswith("tools.crm.http.")


@pytest.mark.parametrize(
    ("http", "field", "message"),
    [
        ({"operations": ("listContact",)}, "operations[0]", "did you mean \"listContacts\""),
        ({"operations": ("upload",)}, "openapi", "a body as multipart/form-data cannot be sent"),
        ({"auth": {}}, "openapi", "needs a secret for token"),
        ({"auth": {"tokn": "s3cret"}}, "auth.tokn", "unknown security scheme \"tokn\", did you mean \"token\""),
        ({"auth": {"token": "s3cret\n"}}, "auth.token", "expected printable ASCII"),
        ({"auth": {"token": ""}}, "auth.token", "found an empty text"),
        ({"allow": ("GET /v2/*",)}, "allow", "no operation"),
        ({"openapi": "none.yaml"}, "openapi", "none.yaml: expected a file"),
    ],
)  # fmt: skip
def test_a_fault_of_the_workflow_names_its_key(tmp_path: Path, http: JsonObject, field: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        made(tmp_path, **http)
    assert caught.value.problems[0].field == f"tools.crm.http.{field}"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("http", "message"),
    [
        ("{openapi: a.yaml}", "base_url beside openapi"),
        (
            '{openapi: "https://a.b/c.yaml", base_url: "https://a.b"}',
            "expected a file beside the workflow, found the URL",
        ),
        ('{base_url: "https://a.b", operations: [x]}', "expected operations beside openapi only"),
        ('{base_url: "https://a.b", auth: {x: y}}', "expected auth beside openapi only"),
        ('{openapi: a.yaml, base_url: "https://a.b", operations: [x], allow: [GET /*]}', "operations or allow"),
    ],
)
def test_keys_that_do_not_go_together_are_found_with_the_file(http: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Workflow.from_text(
            f"version: 1\nname: x\ntools: {{crm: {{http: {http}}}}}\nnodes: {{a: {{code: '1'}}}}\n", env={}
        )


def test_json_with_tabs_reads_like_yaml_and_its_faults_have_lines(tmp_path: Path) -> None:
    data = yaml.safe_load(CRM)
    text = json.dumps(data, indent="\t")
    assert list(made(tmp_path, text, file="crm.json").tools) == list(made(tmp_path).tools)
    data["paths"]["/health"]["get"] = 3
    with pytest.raises(ConfigError, match=r"crm\.json:\d+:\d+: paths"):
        made(tmp_path, json.dumps(data, indent="\t"), file="crm.json")


def test_openapi_3_1_keeps_what_stands_beside_a_reference(tmp_path: Path) -> None:
    text = CRM.replace("3.0.3", "3.1.0").replace("minimum: 0, exclusiveMinimum: true", "exclusiveMinimum: 0")
    text = text.replace(
        'boss: {$ref: "#/components/schemas/Contact"}', 'boss: {$ref: "#/components/schemas/Contact", maxProperties: 3}'
    )
    create = tool(made(tmp_path, text, operations=("createContact",)), "createContact")
    assert '"boss": {"$ref": "#/$defs/Contact", "maxProperties": 3}' in json.dumps(create.parameters)


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    first, second = (tool_name("x" * 80 + end, 40) for end in "ab")
    assert first != second
    assert len(first) == len(second) == 40
    assert tool_name("read item/{id}", 40) == "read_item_id"
