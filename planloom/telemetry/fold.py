"""A run's events become spans.

A run is a trace. Each stretch of work on it, from its start or a resume to where it ends, waits or is cut off, is a
span; the first is the root and the later ones are its children, so that a run that waited for days shows no span of
days. Within a stretch stand plans and nodes, in a node its attempts, in an attempt its calls, tools and checks.

The fold reads nothing but events, so a resumed run comes to the same spans, with the same keys, from its journal.
"""

from dataclasses import replace
from functools import singledispatchmethod

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject, canonical
from planloom.core.plan import NodeId
from planloom.telemetry import names
from planloom.telemetry.span import Mark, OpenSpan, Span, Value

_CUT = "interrupted"


class SpanFold:
    """Folds the events of one run, in order.

    Args:
        content: Put arguments of tools, outputs of nodes and texts of failures into attributes.
    """

    def __init__(self, *, content: bool = False) -> None:
        self._content = content
        self._models: JsonObject = {}
        self._about: dict[str, Value] = {}
        self._name = ""
        self._root = ""
        self._stretches = 0
        self._open: dict[str, OpenSpan] = {}
        """By place: `run`, `plan`, `node ID`, `attempt ID NUMBER`, `call ID`; outer ones stand before inner ones."""
        self._used: dict[str, int] = {}
        self._latest = 0.0
        self._cost_usd = 0.0
        self._done: list[Span] = []

    @property
    def at_rest(self) -> bool:
        """Whether no stretch is open: the run has ended, or waits."""
        return not self._open

    def apply(self, event: ev.AnyEvent) -> list[Span]:
        """Take the next event; return the spans that are over by it, inner ones first."""
        self._fold(event)
        self._latest = max(self._latest, event.at)
        done, self._done = self._done, []
        return done

    # --- places

    def _begin(self, place: str, name: str, at: float, parent: str, attributes: dict[str, Value]) -> OpenSpan:
        """Open a span at a place that is free; a second one at the same place has another key."""
        count = self._used[place] = self._used.get(place, 0) + 1
        key = f"{place} #{count}"
        self._open[place] = OpenSpan(
            key=key, parent=parent, name=name, start=at, attributes={**self._about, **attributes}
        )
        return self._open[place]

    def _end(self, place: str, at: float, error: str = "") -> None:
        span = self._open.pop(place, None)
        if span is not None:
            self._done.append(span.ended(at, error))

    def _inside(self, *places: str) -> str:
        """Return the key of the first of these places that is open, else that of the stretch."""
        found = (self._open[place].key for place in (*places, "run") if place in self._open)
        return next(found, self._root)

    def _stretch(self, at: float) -> None:
        self._stretches += 1
        attributes: dict[str, Value] = {names.OPERATION: "invoke_workflow", names.WORKFLOW: self._name}
        attributes[names.STRETCH] = self._stretches
        span = self._begin("run", f"invoke_workflow {self._name}", at, self._root, attributes)
        self._root = self._root or span.key
        self._cost_usd = 0.0

    def _close(self, at: float, error: str, status: str) -> None:
        """End all that is open: the stretch is over."""
        run = self._open.get("run")
        if run is not None:
            run.attributes |= {names.RUN_STATUS: status, names.COST_USD: self._cost_usd}
        for place in reversed([place for place in self._open if place != "run"]):
            self._end(place, at, _CUT if place.startswith(("call", "attempt")) else "")
        self._end("run", at, error)

    def _node(self, node_id: NodeId, at: float) -> OpenSpan:
        """Return a node's span, which its first event of a stretch opens."""
        place = f"node {node_id}"
        if place not in self._open:
            owner = f"node {node_id.partition('[')[0]}"
            self._begin(place, f"node {node_id}", at, self._inside(owner), {names.NODE_ID: node_id})
        return self._open[place]

    def _mark(self, node_id: NodeId | None, at: float, name: str, attributes: dict[str, Value]) -> None:
        span = self._open.get(f"node {node_id}") or self._open.get("run")
        if span is not None:
            span.marks.append(Mark(at, name, attributes))

    def _told(self, name: str, text: Json) -> dict[str, Value]:
        """Return an attribute that holds content, where content is wanted."""
        if not self._content or text in (None, ""):
            return {}
        return {name: text if isinstance(text, str) else canonical(text)}

    # --- events

    @singledispatchmethod
    def _fold(self, event: ev.AnyEvent) -> None:
        """Take no notice of the other events."""

    @_fold.register
    def _(self, event: ev.RunStarted) -> None:
        models = event.workflow.get("models")
        self._models = models if isinstance(models, dict) else {}
        self._name = event.name
        self._about = {names.RUN_ID: event.run_id}
        if event.rehearsal:
            self._about[names.REHEARSAL] = True
        self._stretch(event.at)

    @_fold.register
    def _(self, event: ev.RunResumed) -> None:
        if "run" in self._open:
            self._close(self._latest, _CUT, _CUT)
        self._stretch(event.at)

    @_fold.register
    def _(self, event: ev.RunEnded) -> None:
        error = event.status if event.status in ("failed", "partial") else ""
        if (run := self._open.get("run")) is not None:
            run.attributes |= self._told(names.FAILURE, event.error)
        self._close(event.at, error, event.status)

    @_fold.register
    def _(self, event: ev.PlanRequested) -> None:
        if event.asked and "plan" in self._open:
            return  # asked beside another one
        self._end("plan", event.at)
        attributes: dict[str, Value] = {names.PURPOSE: event.purpose, names.RUNG: event.rung}
        self._begin("plan", event.purpose, event.at, self._inside(), attributes)

    @_fold.register
    def _(self, event: ev.PlanReady) -> None:
        if (span := self._open.get("plan")) is not None:
            span.attributes[names.PLAN_VERSION] = event.plan.version
        self._mark(None, event.at, "plan", {names.PLAN_VERSION: event.plan.version, names.PURPOSE: event.purpose})
        self._end("plan", event.at)

    @_fold.register
    def _(self, event: ev.PlanRejected) -> None:
        self._end("plan", event.at, "rejected")

    @_fold.register
    def _(self, event: ev.ReplanFailed) -> None:
        self._end("plan", event.at, "no_plan")

    @_fold.register
    def _(self, event: ev.NodeExpanded) -> None:
        self._node(event.node_id, event.at)

    @_fold.register
    def _(self, event: ev.AttemptStarted) -> None:
        node = self._node(event.node_id, event.at)
        node.attributes[names.PLAN_VERSION] = event.plan_version
        attributes: dict[str, Value] = {names.NODE_ID: event.node_id, names.ATTEMPT: event.attempt}
        name = f"attempt {event.node_id}"
        if event.rung:
            name = f"invoke_agent {event.node_id}"
            attributes |= {names.OPERATION: "invoke_agent", names.AGENT: event.node_id, names.RUNG: event.rung}
        self._begin(_attempt(event.node_id, event.attempt), name, event.at, node.key, attributes)

    @_fold.register
    def _(self, event: ev.AttemptEnded) -> None:
        place = _attempt(event.node_id, event.attempt)
        if place not in self._open:
            return
        for number, evidence in enumerate(event.evidence, start=1):
            self._check(self._open[place].key, event.at, number, evidence.check, passed=evidence.passed)
        failed = event.failed
        if failed is not None:
            self._open[place].attributes |= self._told(names.FAILURE, failed.message)
        self._end(place, event.at, failed.kind.value if failed else "")

    def _check(self, parent: str, at: float, number: int, check: str, *, passed: bool) -> None:
        kind = check.partition(":")[0]
        attributes: dict[str, Value] = {names.EVALUATION: check if self._content else kind}
        attributes[names.EVALUATION_LABEL] = "pass" if passed else "fail"
        span = OpenSpan(key=f"{parent} check {number}", parent=parent, name=f"check {kind}", start=at)
        self._done.append(replace(span.ended(at, "" if passed else "check"), attributes={**self._about, **attributes}))

    @_fold.register
    def _(self, event: ev.CallStarted) -> None:
        provider, _, model = self._model_of(event.rung).partition(":")
        attributes: dict[str, Value] = {names.OPERATION: "chat", names.PROVIDER: provider, names.REQUEST_MODEL: model}
        attributes |= {names.RUNG: event.rung, names.ROLE: event.role}
        attributes |= {names.MEMBER: event.member} if event.member else {}
        parent = "plan"
        if event.node_id is not None:
            attributes |= {names.NODE_ID: event.node_id, names.ATTEMPT: event.attempt}
            parent = _attempt(event.node_id, event.attempt)
        inside = self._inside(parent, f"node {event.node_id}")
        self._begin(f"call {event.call_id}", f"chat {model}", event.at, inside, attributes).client = True

    def _model_of(self, rung: str) -> str:
        """Return `provider:model` of a rung; one from Python is known by its own name."""
        spec = self._models.get(rung)
        model = spec.get("model") if isinstance(spec, dict) else spec
        return model if isinstance(model, str) and ":" in model else f"python:{rung}"

    @_fold.register
    def _(self, event: ev.CallEnded) -> None:
        self._cost_usd += event.cost_usd
        span = self._open.get(f"call {event.call_id}")
        if span is None:
            return
        usage = event.usage
        span.attributes |= {
            names.INPUT_TOKENS: usage.input_tokens,
            names.OUTPUT_TOKENS: usage.output_tokens,
            names.COST_USD: event.cost_usd,
        }
        span.attributes |= {names.CACHED_TOKENS: usage.cached_tokens} if usage.cached_tokens else {}
        span.attributes |= {names.REASONING_TOKENS: usage.reasoning_tokens} if usage.reasoning_tokens else {}
        span.attributes |= {names.RESPONSE_MODEL: event.model} if event.model else {}
        span.attributes |= {names.FINISH_REASONS: (event.finish,)} if event.finish else {}
        span.attributes |= self._told(names.FAILURE, event.error)
        self._end(f"call {event.call_id}", event.at, event.kind or ("error" if event.error else ""))

    @_fold.register
    def _(self, event: ev.ToolCalled) -> None:
        attributes: dict[str, Value] = {names.OPERATION: "execute_tool", names.TOOL: event.tool}
        attributes |= {names.NODE_ID: event.node_id, names.ATTEMPT: event.attempt}
        attributes |= self._told(names.TOOL_ARGUMENTS, event.args) | self._told(names.FAILURE, event.error)
        inside = self._inside(_attempt(event.node_id, event.attempt), f"node {event.node_id}")
        place = f"tool {event.node_id}"
        self._begin(place, f"execute_tool {event.tool}", event.at - event.seconds, inside, attributes)
        self._end(place, event.at, "tool" if event.error else "")

    @_fold.register
    def _(self, event: ev.Decided) -> None:
        attributes: dict[str, Value] = {names.ACTION: event.action, names.ATTEMPT: event.attempt}
        attributes |= {names.RUNG: event.rung} if event.rung else {}
        self._mark(event.node_id, event.at, "decided", attributes | self._told(names.REASON, event.reason))

    @_fold.register
    def _(self, event: ev.NodeCommitted) -> None:
        node = self._node(event.node_id, event.at)
        node.attributes |= {names.NODE_STATE: "done", **self._told(names.NODE_OUTPUT, event.output)}
        node.attributes |= {names.REUSED: True} if event.reused else {}
        self._end(f"node {event.node_id}", event.at)

    @_fold.register
    def _(self, event: ev.NodeFailed) -> None:
        node = self._node(event.node_id, event.at)
        node.attributes |= {names.NODE_STATE: "failed", **self._told(names.FAILURE, event.failed.message)}
        self._end(f"node {event.node_id}", event.at, event.failed.kind.value)

    @_fold.register
    def _(self, event: ev.NodeSkipped) -> None:
        self._node(event.node_id, event.at).attributes[names.NODE_STATE] = "skipped"
        self._end(f"node {event.node_id}", event.at)

    @_fold.register
    def _(self, event: ev.NodeHeld) -> None:
        self._node(event.node_id, event.at).attributes[names.NODE_STATE] = "held"
        self._mark(event.node_id, event.at, "held", {"planloom.hold": event.kind})

    @_fold.register
    def _(self, event: ev.ApprovalGiven) -> None:
        self._mark(event.node_id, event.at, "answered", {"planloom.approved": event.approved})

    @_fold.register
    def _(self, event: ev.BudgetReached) -> None:
        self._mark(None, event.at, "budget reached", {"planloom.budget.limit": event.limit})


def _attempt(node_id: NodeId, attempt: int) -> str:
    return f"attempt {node_id} {attempt}"
