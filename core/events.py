"""Everything that happens in a run, as frozen data: the journal's rows and the stream's items."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeAlias, cast, get_args

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from planloom.core.answer import HoldKind
from planloom.core.batch_event import BatchAdvanced as BatchAdvanced
from planloom.core.effect_events import EffectEnded as EffectEnded
from planloom.core.effect_events import EffectStarted as EffectStarted
from planloom.core.event import Event as Event
from planloom.core.json import Json, JsonObject, clean
from planloom.core.outcome import Evidence, Failed, Usage
from planloom.core.panel_events import BoardAdvanced as BoardAdvanced
from planloom.core.panel_events import PanelStopped as PanelStopped
from planloom.core.pins import PinnedServer
from planloom.core.plan import NodeId, RunId
from planloom.core.plan_events import MergeReason as MergeReason
from planloom.core.plan_events import NodePlanned as NodePlanned
from planloom.core.plan_events import NodesMerged as NodesMerged
from planloom.core.plan_events import PlanChoice as PlanChoice
from planloom.core.plan_events import PlanDrafted as PlanDrafted
from planloom.core.plan_events import PlanPurpose as PlanPurpose
from planloom.core.plan_events import PlanReady as PlanReady
from planloom.core.plan_events import PlanRejected as PlanRejected
from planloom.core.plan_events import PlanRequested as PlanRequested
from planloom.core.plan_events import PlansCompared as PlansCompared
from planloom.core.plan_events import ReplanFailed as ReplanFailed
from planloom.core.vote_event import PolicySetAside as PolicySetAside
from planloom.core.vote_event import SampleDrawn as SampleDrawn

Status: TypeAlias = Literal["running", "waiting", "done", "partial", "failed", "cancelled", "interrupted"]
"""How a run stands; `interrupted` is never written down: it is `running`, and no process is at work on it."""
Action: TypeAlias = Literal["retry", "vote", "promote", "keep", "replan", "ask", "stop", "start"]
"""`keep`: a doubted answer counts after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began; `workflow` is the whole workflow as JSON, so that a resume needs no file."""

    run_id: RunId
    name: str
    workflow: JsonObject
    base_dir: str
    inputs: JsonObject
    rehearsal: bool
    tenant: str = ""
    """Whose run it is: memories never cross from one tenant to another."""
    script: str = ""
    """Rehearsal script that answered in place of all models, for a resume."""
    base_url: str = ""
    """Server that was named for all models, for a resume."""
    pins: Mapping[str, PinnedServer] = field(default_factory=dict[str, PinnedServer])
    """What its MCP servers offered, by tool source: what changes later is refused."""
    created_at: float = 0.0
    """When it was asked for, in seconds since the epoch; 0 in runs of older versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(Event):
    """Another process, or the same one later, took the run up again."""

    interrupted: tuple[NodeId, ...] = ()
    """Nodes whose attempt was under way when the run stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExpanded(Event):
    """A map node's list became known; one element node is made per item."""

    node_id: NodeId
    elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """One attempt of a node began. `rung` is empty for nodes that ask no model."""

    node_id: NodeId
    attempt: int
    rung: str
    plan_version: int
    input_digest: str
    samples: int = 1
    waited_s: float = 0.0
    """Time that it was ready and waited for a place, in the run or in the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """A model call's worst case was reserved; written before the call is made."""

    call_id: str
    node_id: NodeId | None
    attempt: int
    role: str
    rung: str
    reserved_usd: float
    reserved_tokens: int
    member: str = ""
    """Member of a panel that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(Event):
    """A model call ended and was settled at what it really used."""

    call_id: str
    node_id: NodeId | None
    attempt: int
    rung: str
    model: str
    usage: Usage
    cost_usd: float
    seconds: float
    error: str = ""
    kind: str = ""
    """Kind of the error."""
    finish: str = ""
    """Why the reply ended; empty when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled(Event):
    """A tool was called, by a worker or by a tool node."""

    node_id: NodeId
    attempt: int
    tool: str
    args: JsonObject
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """An attempt ended: `failed` is `None` when its output passed every check."""

    node_id: NodeId
    attempt: int
    seconds: float
    evidence: tuple[Evidence, ...] = ()
    failed: Failed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """The router decided what follows a failed attempt; or past runs, on which rung the first one is made (`start`)."""

    node_id: NodeId
    attempt: int
    action: Action
    reason: str
    rung: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCommitted(Event):
    """A node's verified output is durable; nobody downstream sees it before this event is."""

    node_id: NodeId
    plan_version: int
    input_digest: str
    output: Json
    attempt: int
    reused: bool = False
    """Taken from an earlier plan version because the work is unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled(Event):
    """A worker, or the planner where no node is named, was given what earlier runs remembered."""

    node_id: NodeId | None
    input_digest: str
    entries: tuple[str, ...]
    """Ids of the memories, best first."""
    tokens: int
    text: str
    """As it stands in the prompt, also in those of later attempts."""
    untrusted: bool
    """Whether any of them may hold text of others."""
    found_by: Literal["words", "words and vectors"] = "words"
    warning: str = ""
    """Why they were found by words alone, where vectors were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered(Event):
    """A node's output was kept for later runs."""

    node_id: NodeId
    input_digest: str
    entry: str
    """Id of the memory."""
    subject: str
    kept: bool
    """False when a newer one on the same subject was there."""
    untrusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(Event):
    """A node has failed for good under this plan version."""

    node_id: NodeId
    plan_version: int
    failed: Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSkipped(Event):
    """A node's condition was false, or it waits on a skipped node."""

    node_id: NodeId
    plan_version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHeld(Event):
    """A node waits for a human; its siblings go on."""

    node_id: NodeId
    reason: str
    node_digest: str
    """What the answer is bound to: a digest of what is shown."""
    kind: HoldKind = "approval"
    shown: Json = None
    """What the human decides about: the filled-in inputs, the write in doubt, the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeld(Event):
    """The whole plan waits for a human before anything runs."""

    plan_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    """A human answered; bound to the digest of what was shown."""

    node_id: NodeId | None
    """`None` for the plan as a whole."""
    approved: bool
    bound_to: str
    note: str = ""
    given_by: Literal["human", "policy"] = "human"
    """`policy`: nobody answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReached(Event):
    """A cap was reached: no further call was made that could pass it."""

    limit: str
    cap: float
    needed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRaised(Event):
    """A person raised caps of this run, or set some where there were none."""

    caps: dict[str, float]
    """New caps by name: `usd`, `tokens`, `calls`, `time` in seconds."""
    by: str = ""
    """Name of the user whose process did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowMended(Event):
    """A person put another workflow in the place of the run's; what was committed under the same words is kept."""

    workflow: JsonObject
    base_dir: str
    inputs: JsonObject
    """The run's inputs as this workflow takes them, its defaults filled in."""
    pins: Mapping[str, PinnedServer] = field(default_factory=dict[str, PinnedServer])
    """What its MCP servers are held to from now on."""
    by: str = ""
    """Name of the user whose process did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run ended, or waits for a human (`waiting`)."""

    status: Status
    output: Json
    error: str = ""
    untrusted: tuple[str, ...] = ()
    """Where text in the output may come from that nobody vouches for: tools by name, inputs as `inputs.NAME`."""


AnyEvent: TypeAlias = (
    RunStarted
    | RunResumed
    | PlanRequested
    | NodePlanned
    | PlanDrafted
    | PlansCompared
    | NodesMerged
    | PlanReady
    | PlanRejected
    | ReplanFailed
    | NodeExpanded
    | AttemptStarted
    | CallStarted
    | CallEnded
    | BatchAdvanced
    | ToolCalled
    | EffectStarted
    | EffectEnded
    | BoardAdvanced
    | PanelStopped
    | SampleDrawn
    | PolicySetAside
    | AttemptEnded
    | Decided
    | NodeCommitted
    | Recalled
    | Remembered
    | NodeFailed
    | NodeSkipped
    | NodeHeld
    | PlanHeld
    | ApprovalGiven
    | BudgetReached
    | BudgetRaised
    | WorkflowMended
    | RunEnded
)

EVENT_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(AnyEvent)}


@cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(EVENT_TYPES[name])


def encode(event: AnyEvent) -> bytes:
    """Write an event as JSON, without its type name."""
    adapter = _adapter(type(event).__name__)
    try:
        return adapter.dump_json(event)
    except PydanticSerializationError:  # text from outside that UTF-8 cannot say
        return json.dumps(clean(adapter.dump_python(event, mode="json"))).encode()


def decode(name: str, payload: bytes | str) -> AnyEvent:
    """Read an event of type `name` back.

    Raises:
        KeyError: There is no event type of that name.
        pydantic.ValidationError: The payload is not one of that type.
    """
    return cast(AnyEvent, _adapter(name).validate_json(payload))
