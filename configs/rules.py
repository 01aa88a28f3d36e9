"""What must hold in a workflow beyond the type of each key, and needs no plan compiler.

The rules read the plain data, not the model, so that they also speak when other parts are broken. A part of
the wrong shape is passed over: the model has reported it.
"""

from collections.abc import Iterator
from typing import TypeAlias

from planloom.configs.document import child
from planloom.configs.json_schema import misfits, schema_faults
from planloom.configs.phrases import found, instead, listed, nearest, quoted
from planloom.core.json import Json, JsonObject

Fault: TypeAlias = tuple[str, str]
"""Field and message."""

PROVIDERS = ("openai", "rehearsal")
TOOL_KINDS = ("python", "files", "http", "sql", "mcp", "ref")
_ACCESS = ("files", "sql")
_INPUT_SCHEMA = ("type", "enum", "items", "properties")


def faults(data: Json) -> Iterator[Fault]:
    """Yield every fault of a workflow's data."""
    workflow = _mapping(data)
    yield from _plan(workflow)
    yield from _inputs(workflow)
    yield from _models(workflow)
    yield from _rungs(workflow)
    yield from _tools(workflow)
    yield from _nodes(workflow)


def _mapping(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _entries(value: Json, path: str) -> Iterator[tuple[str, str, JsonObject]]:
    """Yield name, field and content of the mappings in a mapping or a list."""
    pairs = enumerate(value) if isinstance(value, list) else _mapping(value).items()
    for step, item in pairs:
        if isinstance(item, dict):
            yield str(step), child(path, step), item


def _plan(workflow: JsonObject) -> Iterator[Fault]:
    plan, nodes = workflow.get("plan"), workflow.get("nodes")
    if plan == "auto" and nodes:
        yield "plan", "expected no nodes with plan: auto, found some; leave out one of the two"
    if plan == "static" and not nodes:
        yield "plan", "expected nodes with plan: static, found none"


def _inputs(workflow: JsonObject) -> Iterator[Fault]:
    for _, path, given in _entries(workflow.get("inputs"), "inputs"):
        schema = {key: given[key] for key in _INPUT_SCHEMA if given.get(key) is not None}
        schema.setdefault("type", "string")
        broken = list(schema_faults(schema, path))
        yield from (fault for fault in broken if fault[0] != child(path, "type"))
        if broken:
            continue
        enum = schema.pop("enum", None)
        for index, value in enumerate(enum if isinstance(enum, list) else []):
            yield from misfits(value, schema, child(child(path, "enum"), index))
        if enum is not None:
            schema["enum"] = enum
        if "default" in given:
            yield from misfits(given["default"], schema, child(path, "default"))


def _models(workflow: JsonObject) -> Iterator[Fault]:
    for _, path, rung in _entries(workflow.get("models"), "models"):
        model, script, base_url = rung.get("model"), rung.get("script"), rung.get("base_url")
        if isinstance(model, str) and model:
            provider, _, name = model.partition(":")
            if provider not in PROVIDERS or not name:
                hint = instead(provider, PROVIDERS) if name else f"write openai:{model}"
                yield (
                    child(path, "model"),
                    f"expected openai:NAME or rehearsal:NAME, found {found(model)}; {hint}",
                )
            elif provider != "rehearsal" and script is not None:
                yield (
                    child(path, "script"),
                    f"expected a script with rehearsal: models only, found one with {provider}:",
                )
        if isinstance(base_url, str) and not base_url.startswith(("http://", "https://")):
            yield (
                child(path, "base_url"),
                f"expected a URL with http:// or https://, found {quoted(base_url)}",
            )


def _rungs(workflow: JsonObject) -> Iterator[Fault]:
    """Every name of a rung must stand under `models`."""
    known = list(_mapping(workflow.get("models")))
    for path, name in _rung_names(workflow):
        if isinstance(name, str) and name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {quoted(near)}?" if near else f"; models has {listed(known) or 'none'}"
            yield path, f"expected a name from models, found {quoted(name)}{hint}"
    yield from _embeddings(workflow)
    yield from _batches(workflow)
    ladder = workflow.get("ladder")
    names = ladder if isinstance(ladder, list) else []
    for index, name in enumerate(names):
        if isinstance(name, str) and name in names[:index]:
            yield child("ladder", index), f"expected each rung once, found {quoted(name)} again"


def _embeddings(workflow: JsonObject) -> Iterator[Fault]:
    """Only `memory.embeddings` may name a model that gives vectors, and no other kind of model."""
    vectors = [name for name, _, rung in _entries(workflow.get("models"), "models") if rung.get("api") == "embeddings"]
    for path, name in _rung_names(workflow):
        if name in vectors:
            yield path, f"expected a model that writes text, found {quoted(str(name))} with api: embeddings"
    named = _mapping(workflow.get("memory")).get("embeddings")
    if isinstance(named, str) and named not in vectors:
        wanted = f"expected a model with api: embeddings, found {quoted(named)}"
        yield "memory.embeddings", f"{wanted}; models has {listed(vectors) or 'none'} of that kind"


def _batches(workflow: JsonObject) -> Iterator[Fault]:
    """Whoever is waited for by the whole run is not asked in a batch."""
    slow = [name for name, _, rung in _entries(workflow.get("models"), "models") if rung.get("batch") is not None]
    for path, name in _rung_names(workflow):
        if name in slow and (path == "planner.model" or path.startswith("ladder")):
            yield path, f"expected a model that answers at once, found {quoted(str(name))} with batch"
    named = _mapping(workflow.get("memory")).get("embeddings")
    if named in slow:
        yield "memory.embeddings", f"expected a model that answers at once, found {quoted(str(named))} with batch"


def _rung_names(workflow: JsonObject) -> Iterator[tuple[str, Json]]:
    ladder = workflow.get("ladder")
    for index, name in enumerate(ladder if isinstance(ladder, list) else []):
        yield child("ladder", index), name
    yield "planner.model", _mapping(workflow.get("planner")).get("model")
    for _, path, voice in _entries(
        _mapping(_mapping(workflow.get("planner")).get("agree")).get("vary"), "planner.agree.vary"
    ):
        yield child(path, "model"), voice.get("model")
    vote = _mapping(_mapping(workflow.get("route")).get("vote"))
    for _, path, voice in _entries(vote.get("vary"), "route.vote.vary"):
        yield child(path, "model"), voice.get("model")
    for name, path, lane in _entries(_mapping(workflow.get("route")).get("lanes"), "route.lanes"):
        yield path, name
        yield child(path, "use"), lane.get("use")
    for _, path, node in _entries(workflow.get("nodes"), "nodes"):
        yield child(path, "model"), node.get("model")
        yield from _voices(_mapping(node.get("panel")), child(path, "panel"))
        for _, place, check in _entries(node.get("checks"), child(path, "checks")):
            yield child(place, "model"), check.get("model")


def _voices(panel: JsonObject, path: str) -> Iterator[tuple[str, Json]]:
    yield f"{path}.moderator.model", _mapping(panel.get("moderator")).get("model")
    for _, place, member in _entries(panel.get("members"), child(path, "members")):
        yield child(place, "model"), member.get("model")


def _tools(workflow: JsonObject) -> Iterator[Fault]:
    for name, path, tool in _entries(workflow.get("tools"), "tools"):
        kinds = [kind for kind in TOOL_KINDS if tool.get(kind) is not None]
        empty = [kind for kind in TOOL_KINDS if kind in tool and tool[kind] is None]
        if empty and not kinds:
            yield child(path, empty[0]), f"expected settings, found nothing; write {empty[0]}: {{}} for none"
        elif len(kinds) != 1:
            wanted = f"exactly one of {', '.join(TOOL_KINDS)}"
            yield path, f"expected {wanted} in tool {quoted(name)}, found {' and '.join(kinds) or 'none'}"
        elif "access" in tool and kinds[0] not in _ACCESS:
            yield child(path, "access"), f"expected access with files or sql only, found it with {kinds[0]}"
        elif "allow" in tool and kinds[0] != "mcp":
            yield child(path, "allow"), f"expected allow here with mcp only, found it with {kinds[0]}"
        yield from _http(_mapping(tool.get("http")), child(path, "http")) if "http" in kinds else ()
        yield from _mcp(_mapping(tool.get("mcp")), child(path, "mcp")) if "mcp" in kinds else ()


def _mcp(mcp: JsonObject, path: str) -> Iterator[Fault]:
    command, url = mcp.get("command"), mcp.get("url")
    if bool(command) == bool(url):
        yield path, f"expected exactly one of command, url, found {'both' if url else 'neither'}"
        return
    for key, partner in (("env", "command"), ("headers", "url"), ("private", "url")):
        if key in mcp and not mcp.get(partner):
            yield child(path, key), f"expected {key} with {partner} only"
    schemes = ("https://", "http://") if mcp.get("private") else ("https://",)
    if isinstance(url, str) and not url.startswith(schemes):
        hint = "; private: true allows http" if url.startswith("http://") else ""
        yield child(path, "url"), f"expected a URL with {' or '.join(schemes)}, found {quoted(url)}{hint}"


def _http(http: JsonObject, path: str) -> Iterator[Fault]:
    base_url, allow = http.get("base_url"), http.get("allow")
    yield from _openapi(http, path)
    if not base_url and not allow and not http.get("openapi"):
        yield path, "expected base_url or allow, found neither: no request could be made"
    if isinstance(base_url, str) and not base_url.startswith(("http://", "https://")):
        yield child(path, "base_url"), f"expected a URL with http:// or https://, found {quoted(base_url)}"
    for index, rule in enumerate(allow if isinstance(allow, list) else []):
        if isinstance(rule, str) and (fault := _allow_fault(rule, bool(base_url))):
            yield child(child(path, "allow"), index), fault


def _openapi(http: JsonObject, path: str) -> Iterator[Fault]:
    document = http.get("openapi")
    if document is None:
        for key in ("operations", "auth"):
            if http.get(key):
                yield child(path, key), f"expected {key} beside openapi only, found no openapi"
        return
    if isinstance(document, str) and "://" in document:
        message = f"expected a file beside the workflow, found the URL {quoted(document)}; save it and name the file"
        yield child(path, "openapi"), message
    if not http.get("base_url"):
        yield path, "expected base_url beside openapi: secrets go where the workflow says, not the document"
    if http.get("operations") and http.get("allow"):
        yield child(path, "operations"), "expected operations or allow, found both"


def _allow_fault(rule: str, has_base: bool) -> str:
    method, _, rest = rule.strip().rpartition(" ")
    method = method.strip()
    if method and not (method.isalpha() and method.isupper()):
        return f"expected a method such as GET before the URL, found {quoted(method)}"
    if rest.startswith("/"):
        return "" if has_base else f"expected base_url beside the relative path {quoted(rest)}, found none"
    if rest.startswith(("http://", "https://")):
        return ""
    return f"expected METHOD /path* or METHOD https://host/path*, found {quoted(rule)}"


def _nodes(workflow: JsonObject) -> Iterator[Fault]:
    for _, path, node in _entries(workflow.get("nodes"), "nodes"):
        output = node.get("output")
        if isinstance(output, dict):
            yield from schema_faults(output, child(path, "output"))
