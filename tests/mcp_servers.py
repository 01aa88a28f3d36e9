"""MCP servers for tests: one that misbehaves, and published ones."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from node_packages import EVERYTHING, node

from planloom.configs.load import Workflow
from planloom.configs.spec import McpSpec, ToolSpec
from planloom.core.json import Json
from planloom.core.pins import Pins
from planloom.core.plan import ToolName
from planloom.tools.discover import discover
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox


@dataclass(frozen=True)
class Odd:
    """The server of `servers/odd.py`, and what it wrote down."""

    folder: Path

    def command(self, *modes: str) -> tuple[str, ...]:
        return (sys.executable, "-S", str(Path(__file__).parent / "servers/odd.py"), str(self.folder), *modes)

    def spec(self, *modes: str, **keys: object) -> ToolSpec:
        env = keys.pop("env", {})
        mcp = McpSpec.model_validate({"command": self.command(*modes), "env": env, **_taken(keys, McpSpec)})
        return ToolSpec.model_validate({"mcp": mcp, **keys})

    def noted(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().split() if file.exists() else []

    def describe(self, tool: str, text: str) -> None:
        (self.folder / f"{tool}.description").write_text(text)

    @property
    def pids(self) -> list[int]:
        """Every process that it ever was or started."""
        return [int(pid) for pid in self.noted("started") + self.noted("spawned")]


def _taken(keys: dict[str, object], spec: type[McpSpec]) -> dict[str, object]:
    return {name: keys.pop(name) for name in [*keys] if name in spec.model_fields}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def workflow_of(folder: Path, **tools: ToolSpec) -> Workflow:
    specs = {name: tool.model_dump(mode="json", exclude_unset=True) for name, tool in tools.items()}
    return Workflow.from_dict(
        {"version": 1, "name": "w", "tools": specs, "nodes": {"n": {"code": "1"}}}, base_dir=folder
    )


@asynccontextmanager
async def opened(folder: Path, pins: Pins | None = None, **tools: ToolSpec) -> AsyncIterator[Toolbox]:
    held = pins or await discover(workflow_of(folder, **tools))
    async with Toolbox(tools, base_dir=folder, sandbox=Sandbox(), pins=held) as box:
        yield box


async def call(box: Toolbox, name: str, **args: Json) -> Json:
    return await box.call(ToolName(name), args)


def everything() -> tuple[str, str]:
    """Return the command of the protocol's own test server; skips where it is not installed."""
    found = EVERYTHING.found()
    return str(node()), str(found)
