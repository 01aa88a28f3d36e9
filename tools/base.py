"""The seam to a tool: a description, a schema and one async function."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from planloom.core.fields import FieldPath, read_field
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, ToolName

Trust: TypeAlias = Literal["trusted", "untrusted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A write whose outcome was unknown turned out to have happened."""

    result: Json
    """What the call returned, or would have."""


Verify: TypeAlias = Callable[[JsonObject], Awaitable[Happened | None]]
"""Called with a write's arguments; `None` says that it did not happen.

Raises:
    ToolError: It cannot be found out.
"""


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
    trust: Trust = "untrusted"
    """Whether its results may hold what others wrote; those of a `pure` tool are as its arguments are."""
    trusted_fields: frozenset[FieldPath] = frozenset()
    """Fields of its results that the system behind it makes itself, such as ids: no words of others stand in them."""
    returns: JsonObject | None = None
    """JSON Schema of its results, where it is known."""
    control: frozenset[str] | None = None
    """Parameters that say where a call goes or what it does: recipient, path, URL, SQL. Untrusted values fill
    them only where a person granted it. `None`: all parameters of a `write` tool, none of any other."""
    idempotent: bool = False
    """Calling it twice with the same arguments is the same as calling it once."""
    verify: Verify | None = field(default=None, repr=False)
    """Finds out what became of a write that was cut off or reported an error."""
    vet: Callable[[JsonObject], Iterator[tuple[str, str]]] | None = field(default=None, repr=False)
    """Looks at arguments as they are written, `${...}` and all, before anything runs; asks nobody. Yields argument and
    reason where a call is refused, whatever the references turn out to be."""

    @property
    def repeatable(self) -> bool:
        """Whether the same call may be made again without harm."""
        return self.effect != "write" or self.idempotent or self.idempotency_parameter is not None

    @property
    def controls(self) -> frozenset[str]:
        """The control parameters, with the default where none are named."""
        if self.control is not None:
            return self.control
        return self.names - {self.idempotency_parameter} if self.effect == "write" else frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The names of its parameters."""
        known = self.parameters.get("properties")
        return frozenset(known) if isinstance(known, dict) else frozenset()


def marked(
    tool: Tool,
    *,
    trust: Trust | None,
    fields: Collection[str] | None,
    control: Collection[str] | None,
    data: Collection[str] | None,
) -> Tool:
    """Return a tool as somebody says it is to be guarded; what is `None` stays. `data` names all but `control`.

    Whoever says something of `trust` or of single `fields` says all there is: nothing is added to what was said before.
    """
    if data is not None:
        control = tool.names - {*data, tool.idempotency_parameter}
    if fields is not None or trust is not None:
        trusted = frozenset(read_field(field) for field in fields or ())
        tool = replace(tool, trust=trust or "untrusted", trusted_fields=trusted)
    return replace(
        tool,
        control=tool.control if control is None else frozenset(control) & tool.names,
    )


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
        """Let go of everything `open` took. Called once and by the task that called `open`, also when that failed."""
        ...


@runtime_checkable
class Local(Protocol):
    """A source that opens a file or folder of this machine."""

    @property
    def path(self) -> Path | None:
        """Where it must be before it is opened; `None` where that is not said in one path, or it is made."""
        ...
