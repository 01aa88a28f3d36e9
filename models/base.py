"""The seam to a model: one request, one reply."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from planloom.core.json import JsonObject
from planloom.core.outcome import Usage

Role: TypeAlias = Literal["planner", "worker", "judge", "member", "moderator", "embedding"]
Finish: TypeAlias = Literal["stop", "tool_calls", "length", "refusal"]
Mode: TypeAlias = Literal["json_schema", "json_object", "tool", "prompt"]
"""How a reply that must fit a schema is asked for."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def wire_name(name: str) -> str:
    """Return a tool's name as providers accept it: `files.read` travels as `files__read`."""
    return _UNSAFE.sub("__", name)[:64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call the model asks for. `args` is `None` when its arguments are not a JSON object."""

    id: str
    name: str
    args: JsonObject | None
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a dialogue."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    carry: object = None
    """What the provider wants back unchanged within one tool loop (reasoning items); opaque to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffer:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNews:
    """How a provider's batch stands that calls wait in."""

    batch: str
    """Our name of it, which the provider was told as well."""
    batch_id: str
    """The provider's name of it; empty before the provider has answered."""
    status: str
    """`collected` before it is made, then as the provider says."""
    done: int
    total: int


class Desk(Protocol):
    """Who makes calls that wait in batches, and is told of them."""

    @property
    def leaving(self) -> bool:
        """Whether the caller goes away and a later process is to find the batch: it is left as it is."""
        ...

    async def tell(self, news: BatchNews, tickets: "Sequence[Ticket]") -> None:
        """Take news of the batch that these calls of the caller's wait in; durable, where they say `collected`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call's place in a batch."""

    call: str
    """Id of the call, the same in every process that waits for its answer."""
    work: str
    """Digest of what is asked."""
    desk: Desk
    batch: str = ""
    """The batch that an earlier process put this very call into; empty for a new call."""
    batch_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything a model is asked in one call, and who asks."""

    messages: tuple[Message, ...]
    role: Role
    node_id: str = ""
    attempt: int = 1
    member: str = ""
    """Name of a panel's member."""
    round: int = 0
    """Round of a panel, from 1; 0 elsewhere."""
    tools: tuple[ToolOffer, ...] = ()
    schema: JsonObject | None = None
    """JSON Schema the reply's text must fit; `None` for free text."""
    schema_name: str = "result"
    ticket: Ticket | None = field(default=None, compare=False)
    """Where the answer is waited for, if the model is asked in batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A model's answer."""

    text: str
    finish: Finish
    usage: Usage
    model: str
    """The model as the provider names it in the reply."""
    tool_calls: tuple[ToolCall, ...] = ()
    vectors: tuple[tuple[float, ...], ...] = ()
    """What an embedding model answers: one vector for each message."""
    carry: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """Upper bound of one call: what the budget reserves."""

    input_tokens: int
    output_tokens: int
    usd: float | None
    """`None` when the price is not known."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class ChatModel(Protocol):
    """A rung's model. Any async function of this shape can stand in for one."""

    async def __call__(self, request: Request) -> Reply:
        """Answer.

        Raises:
            ModelError: No usable reply.
        """
        ...


class StreamingModel(ChatModel, Protocol):
    """A model that can also hand out its text while it is written."""

    def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield pieces of text, then the whole `Reply` as the last item.

        Raises:
            ModelError: The stream broke, or ended without saying why.
        """
        ...
