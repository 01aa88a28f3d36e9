"""What a server says of a tool, as it may be shown to models and pinned."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mcp_types import Tool as OfferedTool
from pydantic import TypeAdapter

from planloom.configs.json_schema import schema_faults
from planloom.core.json import Json, JsonObject, canonical, is_too_deep
from planloom.core.pattern import PatternError, check_pattern
from planloom.core.pins import PinnedServer, PinnedTool, tool_digest
from planloom.tools.hidden import visible

MAX_DESCRIPTION_CHARS = 2000
MAX_SCHEMA_CHARS = 20_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PROSE = ("description", "title", "$comment")
_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a server offers, seen once."""

    server: PinnedServer
    refused: Mapping[str, str]
    """Tools that cannot be offered to models, with the reason."""


def look(offers: Iterable[OfferedTool], target: str, title: str, allow: Collection[str] | None) -> Look:
    """Return what a server offers of the tools in `allow`; `None` takes all."""
    tools: dict[str, PinnedTool] = {}
    refused: dict[str, str] = {}
    for offered in offers:
        if allow is not None and offered.name not in allow:
            continue
        try:
            tool = pinned(offered, target, title)
        except ValueError as exc:
            refused[visible(offered.name, max_chars=80)] = str(exc)
            continue
        if tool.name in tools:
            refused[tool.name] = "the server offers two tools of this name"
        tools[tool.name] = tool
    return Look(server=PinnedServer(target=target, title=title, tools=tuple(tools.values())), refused=refused)


def pinned(offered: OfferedTool, target: str, title: str) -> PinnedTool:
    """Return a tool as it is shown to models.

    Args:
        offered: What the server said.
        target: Command or URL of the server.
        title: What the server calls itself.

    Raises:
        ValueError: It cannot be offered to models; the message says why.
    """
    if not _NAME.fullmatch(offered.name):
        raise ValueError("expected a name of letters, digits, `_`, `-` and `.`, at most 64")
    raw = _OBJECT.validate_python(offered.input_schema)
    claims = offered.annotations
    return PinnedTool(
        name=offered.name,
        description=visible(offered.description or "", max_chars=MAX_DESCRIPTION_CHARS).strip(),
        parameters=_parameters(raw),
        digest=tool_digest(target, title, offered.name, offered.description, raw),
        read_only=claims is not None and claims.read_only_hint is True,
        idempotent=claims is not None and claims.idempotent_hint is True,
    )


def _parameters(raw: JsonObject) -> JsonObject:
    if is_too_deep(raw) or len(canonical(raw)) > MAX_SCHEMA_CHARS:
        raise ValueError(f"its parameters take more than {MAX_SCHEMA_CHARS} characters, or are nested too deeply")
    shown = _shown(raw, prose=False)
    if not isinstance(shown, dict):
        raise ValueError("its parameters are no object")
    shown.pop("$schema", None)
    for field, message in schema_faults(shown, "parameters"):
        raise ValueError(f"{field}: {message}")
    return shown


def _shown(value: Json, *, prose: bool) -> Json:
    """Return a schema with prose cleaned, and without patterns that only the server can check."""
    if isinstance(value, list):
        return [_shown(item, prose=False) for item in value]
    if isinstance(value, dict):
        return {
            _bare(key): _shown(item, prose=key in _PROSE) for key, item in value.items() if not _is_foreign(key, item)
        }
    if isinstance(value, str):
        return visible(value, max_chars=MAX_DESCRIPTION_CHARS) if prose else _bare(value)
    return value


def _is_foreign(key: str, value: Json) -> bool:
    try:
        if key == "pattern" and isinstance(value, str):
            check_pattern(value)
    except PatternError:
        return True
    return False


def _bare(text: str) -> str:
    if visible(text) != text:
        raise ValueError(f"its parameters hold hidden characters in {visible(text)[:80]!r}")
    return text
