"""The plan: nodes, what each may do, and how they hang together."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NewType, TypeAlias

from pydantic import TypeAdapter

from planloom.core.check import Agree, Check
from planloom.core.json import Json, JsonObject, digest
from planloom.core.panel import Panel

NodeId = NewType("NodeId", str)
RunId = NewType("RunId", str)
ToolName = NewType("ToolName", str)


def new_run_id() -> RunId:
    """Make an id that no run has: the time it begins, and something random."""
    return RunId(f"{time.strftime('%y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}")


Kind: TypeAlias = Literal["worker", "panel", "tool", "code"]
Effort: TypeAlias = Literal["low", "medium", "high"]
Effect: TypeAlias = Literal["pure", "read", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to call one tool, or all operations of one tool source."""

    tool: ToolName
    args: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Arguments fixed by the plan; the model cannot set or change them."""
    max_calls: int | None = None
    """Calls in one attempt at most; `None` leaves it to the worker's own bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One piece of work. `worker` asks a model and `panel` several, `tool` calls one tool, `code` runs Python."""

    id: NodeId
    goal: str = ""
    kind: Kind = "worker"
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """The `with` block: named values, with `${...}` references not yet resolved."""
    needs: tuple[NodeId, ...] = ()
    """Extra ordering without data."""
    when: str | None = None
    """Expression over `inputs` and `nodes`; the node is skipped when it is false."""
    map: Json = None
    """A list or a reference to one: the node runs once per element, with `${item}` and `${index}`."""
    on_skip: Literal["skip", "null"] = "skip"
    """What dependents see when this node is skipped: they are skipped too, or they read null."""
    tools: tuple[Grant, ...] = ()
    output: Mapping[str, Json] | None = None
    """JSON Schema of the result (of one element's result for a map)."""
    checks: tuple[Check, ...] = ()
    agree: Agree | None = None
    effort: Effort = "medium"
    effect: Effect = "pure"
    tool: ToolName | None = None
    code: str | None = None
    panel: Panel | None = None
    model: str | None = None
    """First rung by name; `None` starts where `effort` says on the ladder."""
    max_calls: int = 12
    """Model calls of one attempt at most: of a worker's tool loop, of all voices of a panel together."""
    timeout_s: float | None = None
    """Seconds for one attempt; `None` leaves it to the run's limits."""
    max_cost_usd: float | None = None
    approve: bool = False
    """Hold the node until a human has approved it."""
    recall: int | bool = False
    """Remembered entries that its worker is shown at most; true for as many as the workflow says."""
    remember: str = ""
    """Subject under which later runs can recall the output, with `${...}` references; empty keeps nothing."""

    @property
    def digest(self) -> str:
        """Identity of the work itself: equal digests mean the same work, whatever the plan version."""
        return digest(_node_adapter().dump_python(self, mode="json"))


@cache
def _node_adapter() -> TypeAdapter[Node]:
    return TypeAdapter(Node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A version of the plan: nodes by id and the template of the run's output."""

    version: int
    nodes: Mapping[NodeId, Node]
    output: Json = None
    """Template with `${...}` references; `None` takes the outputs of all nodes nobody reads."""

    @property
    def digest(self) -> str:
        """Identity of the whole plan; an approval is bound to it."""
        return digest([[node.digest for node in self.nodes.values()], self.output])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPatch:
    """A repair of the plan: nodes to add or replace, ids to remove, and maybe another output."""

    nodes: Mapping[NodeId, Node]
    remove: tuple[NodeId, ...] = ()
    output: Json = None
    """`None` keeps the output template."""


FindingCode: TypeAlias = Literal[
    "bad_json",
    "bad_node",
    "cycle",
    "unknown_node",
    "unknown_input",
    "unknown_tool",
    "unknown_model",
    "grant_too_wide",
    "missing_file",
    "missing_input",
    "unread_output",
    "schema_mismatch",
    "bad_schema",
    "bad_expression",
    "too_many_nodes",
    "over_budget",
    "no_price",
    "id_reused",
    "empty_plan",
    "kept_apart",
    "untrusted_flow",
    "policy_aside",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of a plan, typed so that the planner (or a person) can mend it."""

    code: FindingCode
    message: str
    node_id: NodeId | None = None
    field: str = ""
    """Field within the node, such as `with.rows` or `checks[0].expr`."""
    fatal: bool = True
    """A finding that is not fatal is a warning."""

    @property
    def text(self) -> str:
        """One line for people."""
        place = ".".join(part for part in (self.node_id or "", self.field) if part)
        return f"{self.code}: {place + ': ' if place else ''}{self.message}"

    def as_json(self) -> JsonObject:
        """Shape sent back to the planner."""
        return {"code": self.code, "node": self.node_id, "field": self.field, "message": self.message}
