"""What an MCP server offered when it was first looked at, kept so that a later change shows."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from planloom.core.json import Json, JsonObject, canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTool:
    """One tool as it was seen; what models are shown of it."""

    name: str
    description: str
    """Cleaned of hidden text, and cut."""
    parameters: JsonObject
    digest: str
    """Of the server and of the tool's name, description and parameters, as the server sent them."""
    read_only: bool = False
    """The server claims that it changes nothing."""
    idempotent: bool = False
    """The server claims that calling it again with the same arguments changes nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedServer:
    """The tools of one server that a workflow may use."""

    target: str
    """Command or URL as the workflow writes it, without the values of variables."""
    title: str
    """What the server calls itself."""
    tools: tuple[PinnedTool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What the servers of a workflow are held to."""

    servers: Mapping[str, PinnedServer] = field(default_factory=dict[str, PinnedServer])
    """By the name of the tool source."""
    lock: str = ""
    """Path of the lock file they come from; empty when they are what a run saw at its start."""


def tool_digest(target: str, title: str, name: str, description: str | None, parameters: Json) -> str:
    """Return what a tool is known by: any change of who offers it or of what it says it does changes this."""
    text = canonical([target, title, name, description, parameters])
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def changes(pinned: PinnedServer, found: PinnedServer) -> dict[str, str]:
    """Return what changed about each pinned tool that is not as it was."""
    there = {tool.name: tool for tool in found.tools}
    told: dict[str, str] = {}
    for tool in pinned.tools:
        if tool.name not in there:
            told[tool.name] = "it is not offered any more"
        elif there[tool.name].digest != tool.digest:
            told[tool.name] = _difference(pinned, found, tool, there[tool.name])
    return told


def _difference(pinned: PinnedServer, found: PinnedServer, old: PinnedTool, new: PinnedTool) -> str:
    parts: list[str] = []
    if pinned.title != found.title:
        parts.append(f"the server calls itself {found.title!r}, it was {pinned.title!r}")
    if old.description != new.description:
        parts.append(f"its description is now {new.description[:200]!r}, it was {old.description[:200]!r}")
    if old.parameters != new.parameters:
        parts.append("its parameters changed" + _names(old.parameters, new.parameters))
    return "; ".join(parts) or "its text changed where models do not see it"


def _names(old: JsonObject, new: JsonObject) -> str:
    before, after = _properties(old), _properties(new)
    added, gone = sorted(after - before), sorted(before - after)
    told = [f"new: {', '.join(added)}"] if added else []
    told += [f"gone: {', '.join(gone)}"] if gone else []
    return f" ({'; '.join(told)})" if told else ""


def _properties(schema: JsonObject) -> set[str]:
    found = schema.get("properties")
    return set(found) if isinstance(found, dict) else set()
