"""The seam to a tool: a description, a schema and one async function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, ToolName


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One operation a worker may call, or a tool node runs."""

    name: ToolName
    """`source` or `source.operation`: `python`, `files.read`, `db.query`."""
    description: str
    """Shown to models: what it does, what it returns."""
    parameters: JsonObject
    """JSON Schema of the arguments, an object."""
    effect: Effect
    call: Callable[[JsonObject], Awaitable[Json]] = field(repr=False)
    """Called with validated arguments.

    Raises:
        ToolError: It refused or failed; the message may be shown to a model.
    """
    timeout_s: float = 60.0
    max_parallel: int = 8
    """Calls under way at the same time, over all runs of the engine."""
    idempotency_parameter: str | None = None
    """Argument that receives a key stable over retries and resumes, for `write` tools that take one."""


class Source(Protocol):
    """One entry under `tools`: where its operations come from."""

    def tools(self) -> tuple[Tool, ...]:
        """Its operations. Needs no connection; after `open` the descriptions may say more."""
        ...

    async def open(self) -> None:
        """Connect.

        Raises:
            ConfigError: What the workflow names cannot be opened.
        """
        ...

    async def close(self) -> None:
        """Let go of everything `open` took. Called once, also when `open` failed."""
        ...
