"""Bodies of requests and answers: what the OpenAPI document says of them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from planloom.core.answer import Answer
from planloom.core.events import PlanPurpose, Status
from planloom.core.json import JsonObject
from planloom.core.outcome import Usage
from planloom.core.plan import Effect, Effort, Finding, Kind
from planloom.core.result import DecisionRecord, NodeRecord, PendingApproval
from planloom.quality.replay import Lack


class Shape(BaseModel):
    """Base of all: unknown fields are refused, and documented as such."""

    model_config = ConfigDict(extra="forbid")


class RunRequest(Shape):
    """A run to be started."""

    workflow: str = Field(description="Name of a workflow, as `GET /v1/workflows` lists them.", max_length=200)
    inputs: dict[str, JsonValue] = Field(default={}, description="Values of its inputs by name.")


class RunStartedShape(Shape):
    """A run that has begun."""

    run_id: str
    workflow: str


class RunLine(Shape):
    """A run in a list. Times are seconds since the epoch."""

    run_id: str
    workflow: str
    status: Status = Field(description="`interrupted`: its process is gone, and none has taken it up yet.")
    live: bool = Field(description="A process is at work on it.")
    started_at: float
    ended_at: float | None
    cost_usd: float
    rehearsal: bool = Field(description="A script answered in place of models.")


class RunPage(Shape):
    """Some of the runs, newest first."""

    runs: list[RunLine]
    next_cursor: str | None = Field(description="For the next page; null on the last one. A page may be short.")


class GraphNode(Shape):
    """A node as a picture of the plan needs it."""

    id: str
    kind: Kind
    goal: str
    needs: list[str] = Field(description="Nodes that must settle before it.")
    tool: str | None
    tools: list[str]
    model: str | None = Field(description="First rung by name, where the plan says one.")
    effort: Effort
    effect: Effect
    approve: bool
    when: str | None
    map: bool = Field(description="It runs once for each element of a list; elements stand in `nodes` as `ID[0]`.")
    checks: int


class PlanVersion(Shape):
    """A version of the plan that came into force."""

    version: int
    purpose: PlanPurpose
    digest: str
    at: float
    nodes: list[GraphNode]
    warnings: list[Finding]


class RunRecord(Shape):
    """A run as it stands."""

    run_id: str
    name: str = Field(description="Name of its workflow.")
    status: Status = Field(description="`interrupted`: its process is gone, and none has taken it up yet.")
    live: bool = Field(description="A process is at work on it.")
    inputs: dict[str, JsonValue]
    output: JsonValue
    untrusted: list[str] = Field(description="Tools and inputs from which strangers' words may be in the output.")
    error: str
    nodes: dict[str, NodeRecord] = Field(description="State, attempts with evidence, cost and output of each node.")
    graph: list[GraphNode] = Field(description="The plan in force, or what there is of one that is being written.")
    critical_path: list[str] = Field(
        description="The chain of nodes that the run's length consists of, as far as they are done."
    )
    plans: list[PlanVersion] = Field(description="All versions, oldest first.")
    decisions: list[DecisionRecord] = Field(description="What the router decided.")
    pending: list[PendingApproval] = Field(description="What waits for a human; `bound_to` goes into the answer.")
    findings: list[Finding]
    usage: Usage
    cost_usd: float
    plan_version: int
    replans: int
    started_at: float
    ended_at: float | None
    seconds: float
    rehearsal: bool
    last_event_id: int = Field(description="`Last-Event-ID` with which a stream goes on from here.")


class Verdict(Shape):
    """What a person says to something that waits."""

    approved: bool
    note: str = Field(default="", description="Told to the worker, and kept.", max_length=20_000)
    plan: dict[str, JsonValue] | None = Field(
        default=None, description="For the plan as a whole: what is to run instead, as `{nodes: {...}, output: ...}`."
    )
    happened: bool = Field(default=False, description="A write in doubt did happen, with `result`.")
    result: JsonValue = None


class AnswerShape(Verdict):
    """What a person says, and to what."""

    node: str = Field(description="Id of the node, or `plan` for the plan as a whole.", max_length=200)
    bound_to: str = Field(description="`bound_to` of what is answered: an answer to anything else is refused.")

    @property
    def answer(self) -> Answer:
        """What it says."""
        plan: JsonObject | None = self.plan
        return Answer(approved=self.approved, note=self.note, plan=plan, happened=self.happened, result=self.result)


class ApproveRequest(Shape):
    """Answers to some or all of what waits."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"answers": [{"node": "send", "bound_to": "0f3a52c1d9e84b77", "approved": True}]}]
        },
    )
    answers: list[AnswerShape] = Field(min_length=1, max_length=1000)


class WorkflowLine(Shape):
    """A workflow in a list."""

    name: str
    description: str
    plan: Literal["auto", "static"] = Field(description="`auto`: a planner writes it for each run.")


class WorkflowList(Shape):
    """The workflows of the service."""

    workflows: list[WorkflowLine]


class WorkflowRecord(WorkflowLine):
    """A workflow."""

    inputs: dict[str, JsonValue] = Field(description="JSON Schema of the inputs.")
    models: list[str] = Field(description="Rungs, from cheap to strong.")
    graph: list[GraphNode] = Field(description="Its nodes, where they stand in the workflow.")


class EstimateShape(Shape):
    """What a node will take: one clean attempt, up to every call used on the strongest rung."""

    calls_low: int
    calls_high: int
    usd_low: float | None = Field(description="Null where a price is not known.")
    usd_high: float | None
    rung: str = Field(description="First rung; empty for a node that asks no model.")


class Explained(Shape):
    """What a workflow would do; nothing was run."""

    name: str
    plan: Literal["auto", "static"]
    graph: list[GraphNode]
    estimates: dict[str, EstimateShape]
    warnings: list[Finding]


class UnknownShape(Shape):
    """What cannot be known of one kind of node on one model."""

    kind: str
    model: str
    lack: Lack = Field(description="Why nobody knows.")
    questions: int


class RuleShape(Shape):
    """What a rule would have done on the recorded answers."""

    name: str
    right: int
    wrong: int
    unknown: int = Field(description="Questions that would have come to a model of which nothing is known.")
    strong_calls: int
    cost_usd: float | None = Field(description="Of what is known; null when no cost is.")
    cost_unknown: int = Field(description="Calls whose cost is not known.")
    calls: dict[str, int] = Field(description="Calls by model.")
    unknowns: list[UnknownShape] = Field(description="Where the unknown questions come from.")


class CurvePoint(Shape):
    """A place on a curve; both are shares from 0 to 1."""

    share: float = Field(description="Share of the questions that went to the stronger model.")
    accuracy: float


class CurveShape(Shape):
    """Accuracy of one kind of node on one model as more goes up, on rows that were not fitted."""

    name: str
    weak: float = Field(description="Accuracy of the cheaper model alone.")
    strong: float
    points: list[CurvePoint]


class QualityRecord(Shape):
    """Quality against compute: answers of stored runs, replayed under other rules."""

    runs: int = Field(description="Runs that were looked at.")
    answers: int = Field(description="Answers of which a check said whether they are right.")
    questions: int
    rules: list[RuleShape]
    curves: list[CurveShape] = Field(description="Where the stronger model was asked all, and checks tell right.")


class AuditLine(Shape):
    """Who did what, when."""

    id: int
    at: float
    tenant: str
    actor: str
    action: str
    target: str
    detail: dict[str, JsonValue]


class AuditPage(Shape):
    """Some of the audit log, newest first."""

    entries: list[AuditLine]
    next_before: int | None
