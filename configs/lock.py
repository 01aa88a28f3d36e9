"""The lock file beside a workflow: what its MCP servers offered when a person last looked."""

import re
import shlex
from pathlib import Path
from typing import Literal

import yaml
from pydantic import JsonValue, ValidationError

from planloom.configs.load import Workflow, read_document
from planloom.configs.spec import Spec
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json
from planloom.core.pins import PinnedServer, PinnedTool, Pins

_HEAD = "# Written by `planloom lock`. Read the descriptions: models are shown them as they stand here.\n"
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|nan|inf)$)[A-Za-z_][\w-]*", re.IGNORECASE)


class _Tool(Spec):
    description: str
    parameters: dict[str, JsonValue]
    read_only: bool = False
    idempotent: bool = False
    digest: str


class _Server(Spec):
    server: str
    title: str
    tools: dict[str, _Tool]


class _Lock(Spec):
    version: Literal[1]
    servers: dict[str, _Server]


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader of YAML might take for something else."""


def _text(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=None if _PLAIN.fullmatch(text) else '"')


_Dumper.add_representer(str, _text)


def lock_path(workflow: Workflow) -> Path | None:
    """Return where a workflow's lock file stands or would stand; `None` for one that is in no file."""
    return None if workflow.source.startswith("<") else Path(workflow.source).with_suffix(".lock.yaml")


def mcp_target(workflow: Workflow, name: str) -> str:
    """Return the command or URL of an MCP source as it is written, variables not filled in."""
    place: Json = workflow.document.data
    for step in ("tools", name, "mcp"):
        place = place.get(step) if isinstance(place, dict) else None
    written = place if isinstance(place, dict) else {}
    command = written.get("command")
    return shlex.join(map(str, command)) if isinstance(command, list) else str(written.get("url") or "")


def locked(workflow: Workflow) -> Pins | None:
    """Return what the lock file says; `None` when there is none, or when no tool needs one.

    Raises:
        ConfigError: The file cannot be read, or is not about the servers that the workflow names.
    """
    path, names = lock_path(workflow), [name for name, tool in workflow.spec.tools.items() if tool.mcp is not None]
    if path is None or not names or not path.is_file():
        return None
    servers = _read(path)
    problems: list[Problem] = []
    for name in names:
        target = mcp_target(workflow, name)
        if name not in servers:
            problems.append(_outdated(workflow, name, f"{path.name} does not know it"))
        elif servers[name].target != target:
            problems.append(_outdated(workflow, name, f"{path.name} is about {servers[name].target!r}, not {target!r}"))
    if problems:
        raise ConfigError(workflow.source, problems)
    return Pins(servers={name: servers[name] for name in names}, lock=str(path))


def _outdated(workflow: Workflow, name: str, message: str) -> Problem:
    return workflow.problem(f"tools.{name}.mcp", f"{message}; run `planloom lock {workflow.source}`")


def _read(path: Path) -> dict[str, PinnedServer]:
    document = read_document(path)
    if document.problems:
        raise ConfigError(path, document.problems)
    try:
        lock = _Lock.model_validate(document.data)
    except ValidationError as exc:
        fields = ((".".join(map(str, error["loc"])), error["msg"]) for error in exc.errors(include_url=False))
        raise ConfigError(path, [document.problem(field, message) for field, message in fields]) from exc
    return {name: _pinned(server) for name, server in lock.servers.items()}


def _pinned(server: _Server) -> PinnedServer:
    tools = tuple(PinnedTool(name=name, **dict(tool)) for name, tool in server.tools.items())
    return PinnedServer(target=server.server, title=server.title, tools=tools)


def write_lock(path: Path, pins: Pins) -> None:
    """Write what servers offer down, in place of what stood there."""
    servers = {
        name: _Server(
            server=pinned.target,
            title=pinned.title,
            tools={
                tool.name: _Tool(
                    description=tool.description,
                    parameters=tool.parameters,
                    read_only=tool.read_only,
                    idempotent=tool.idempotent,
                    digest=tool.digest,
                )
                for tool in pinned.tools
            },
        )
        for name, pinned in pins.servers.items()
    }
    data = _Lock(version=1, servers=servers).model_dump(mode="json")
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    path.write_text(_HEAD + text, encoding="utf-8")
