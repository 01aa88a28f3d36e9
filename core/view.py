"""A run seen from its events: one fold serves the result, the screen, `show` and resume."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import singledispatchmethod

from planloom.core import events as ev
from planloom.core.budget import with_caps
from planloom.core.effect import EffectRecord
from planloom.core.json import Json, JsonObject
from planloom.core.node_view import AttemptView, NodeView
from planloom.core.outcome import Usage
from planloom.core.pins import PinnedServer
from planloom.core.plan import Finding, Node, NodeId, Plan, RunId
from planloom.core.result import DecisionRecord, NodeState, PanelRecord, PendingApproval, RunResult

_OPEN_AGAIN = frozenset({"failed", "removed", "skipped", "held"})
"""States that a node leaves when a new plan changes it."""


class RunView:
    """Fold events with `apply`; read any field at any time."""

    def __init__(self, events: Iterable[ev.AnyEvent] = ()) -> None:
        self.run_id = RunId("")
        self.name = ""
        self.workflow: JsonObject = {}
        self.base_dir = ""
        self.inputs: JsonObject = {}
        self.rehearsal = False
        self.tenant = self.script = self.base_url = ""
        self.pins: Mapping[str, PinnedServer] = {}
        self.status: ev.Status = "running"
        self.output: Json = None
        self.untrusted: tuple[str, ...] = ()
        self.error = ""
        self.started_at = 0.0
        self.ended_at: float | None = None
        self.plan: Plan | None = None
        self.provisional: dict[NodeId, Node] = {}
        self.edited: Mapping[NodeId, Node] = {}
        """Nodes of the plan that a person put in place of the planner's."""
        self.warnings: tuple[Finding, ...] = ()
        self.drafts: dict[int, ev.PlanDrafted] = {}
        self.compared: ev.PlansCompared | None = None
        self.nodes: dict[NodeId, NodeView] = {}
        self.decisions: list[DecisionRecord] = []
        self.usage, self.cost_usd = Usage(), 0.0
        self.replans = 0
        """Replans that came to an end, well or badly; one that a crash cut off is asked for again."""
        self.open_calls: dict[str, ev.CallStarted] = {}
        """Calls that were reserved and never settled: after a crash they count at their worst case."""
        self.batches: dict[str, ev.BatchAdvanced] = {}
        """How each batch stands, by our name of it, with all calls of this run that were put into it."""
        self.committed: dict[tuple[NodeId, str], ev.NodeCommitted] = {}
        """Commits by node and input digest: work that is never done again."""
        self.recalled: dict[tuple[NodeId | None, str], ev.Recalled] = {}
        """What nodes and the planner were shown of earlier runs, by node and input digest."""
        self.recalled_untrusted = False
        """Whether anything that was recalled may hold text of others."""
        self.remembered: set[tuple[NodeId, str]] = set()
        """Work whose output is kept for later runs."""
        self.policy_aside: set[tuple[str, str]] = set()
        self.pending: dict[NodeId | None, PendingApproval] = {}
        self.approvals: dict[tuple[NodeId | None, str], ev.ApprovalGiven] = {}
        """Answers by node and the digest that was shown."""
        self.reopened_at = 0.0
        """When a run that had ended badly was last taken up: what failed before gets a fresh start."""
        self.active_s = 0.0
        """Seconds the run was worked on, pauses between processes left out."""
        self._last_at = 0.0
        for event in events:
            self.apply(event)

    @classmethod
    def seen(cls, events: Iterable[ev.AnyEvent], *, live: bool) -> "RunView":
        """Fold a run for people to look at: where no process is at work on it, it stopped with its last event.

        Args:
            events: All its events.
            live: Whether a process was at work on it before these events were read.
        """
        view = cls(events)
        if view.status == "running" and not live:
            view.status, view.ended_at = "interrupted", view._last_at
            for node in view.nodes.values():
                node.interrupt(view._last_at)
        return view

    def node(self, node_id: NodeId) -> NodeView:
        """Return the view of a node, new if this is the first word of it."""
        if node_id not in self.nodes:
            self.nodes[node_id] = NodeView(id=node_id)
        return self.nodes[node_id]

    @property
    def busy(self) -> bool:
        """Whether an attempt or a model call is under way."""
        return bool(self.open_calls) or any(node.unfinished for node in self.nodes.values())

    def batch_of(self, call_id: str) -> ev.BatchAdvanced | None:
        """Return the batch that a call was put into; `None` for a call that was made at once."""
        return next((batch for batch in self.batches.values() if call_id in batch.calls), None)

    def effects_of(self, node_id: NodeId) -> Mapping[str, EffectRecord]:
        """Return a node's writes by idempotency key, each as it was last tried."""
        return self.nodes[node_id].effects if node_id in self.nodes else {}

    def notes_of(self, node_id: NodeId) -> tuple[tuple[str, str], ...]:
        """Return what people said to a node: why it waited, and the answer."""
        return tuple(self.nodes[node_id].notes) if node_id in self.nodes else ()

    def result(self) -> RunResult:
        """Freeze the run as it stands."""
        return RunResult(
            run_id=self.run_id,
            name=self.name,
            status=self.status,
            output=self.output,
            untrusted=self.untrusted,
            error=self.error,
            nodes={node_id: node.record() for node_id, node in self.nodes.items()},
            decisions=tuple(self.decisions),
            usage=self.usage,
            cost_usd=self.cost_usd,
            plan_version=self.plan.version if self.plan else 0,
            findings=self.warnings,
            started_at=self.started_at,
            ended_at=self.ended_at,
            rehearsal=self.rehearsal,
            pending=tuple(self.pending.values()),
        )

    def apply(self, event: ev.AnyEvent) -> None:
        """Take one event in; events must come in the order they were journaled."""
        if isinstance(event, ev.RunStarted | ev.RunResumed):
            self._fold(event)
            self._last_at = event.at
            return
        self.active_s += max(0.0, event.at - self._last_at)
        self._last_at = max(self._last_at, event.at)
        self._fold(event)

    @singledispatchmethod
    def _fold(self, event: ev.Event) -> None:
        """Events that change nothing here fall through to this."""

    @_fold.register
    def _(self, event: ev.RunStarted) -> None:
        self.run_id, self.name, self.inputs = event.run_id, event.name, event.inputs
        self.workflow, self.base_dir, self.rehearsal = event.workflow, event.base_dir, event.rehearsal
        self.script, self.base_url, self.pins = event.script, event.base_url, event.pins
        self.started_at, self.tenant = event.at, event.tenant

    @_fold.register
    def _(self, event: ev.RunResumed) -> None:
        if self.status in ("failed", "partial", "cancelled"):
            self.reopened_at = event.at
            self.drafts = {number: each for number, each in self.drafts.items() if each.plan is not None}
            for view in self.nodes.values():
                view.unmended = False
        self.status, self.ended_at, self.error = "running", None, ""
        for node_id in event.interrupted:
            self.node(node_id).interrupt(self._last_at)

    @_fold.register
    def _(self, event: ev.NodePlanned) -> None:
        self.provisional[event.node.id] = event.node
        self.node(event.node.id).goal = event.node.goal

    @_fold.register
    def _(self, event: ev.PlanDrafted) -> None:
        self.drafts[event.sample] = event

    @_fold.register
    def _(self, event: ev.PlansCompared) -> None:
        self.compared = event

    @_fold.register
    def _(self, event: ev.ReplanFailed) -> None:
        self.replans += 1
        for node_id in event.failed:
            self.node(node_id).unmended = True

    @_fold.register
    def _(self, event: ev.PlanReady) -> None:
        self.replans += event.purpose == "replan"
        if event.purpose == "edit":
            self.edited = event.plan.nodes
        before = {**self.provisional, **(self.plan.nodes if self.plan else {})}
        self.plan, self.warnings = event.plan, event.warnings
        self.provisional = {}
        self.pending.pop(None, None)
        for node_id, node in event.plan.nodes.items():
            view = self.node(node_id)
            view.goal, view.plan_version = node.goal, event.plan.version
            changed = node_id not in before or before[node_id].digest != node.digest
            view.unmended = view.unmended and not changed
            if changed and (view.state in _OPEN_AGAIN or (event.purpose == "mend" and view.state == "done")):
                view.state, view.reason = "pending", ""
                self.pending.pop(node_id, None)
        for node_id, view in self.nodes.items():
            base = NodeId(node_id.partition("[")[0])
            if base not in event.plan.nodes:
                view.state = "removed"
                self.pending.pop(node_id, None)

    def _becomes(self, node_id: NodeId, state: NodeState, reason: str = "") -> NodeView:
        """Set a node's state; one that the plan has dropped meanwhile stays removed, whatever still comes of it."""
        view = self.node(node_id)
        base = NodeId(node_id.partition("[")[0])
        wanted = self.plan is None or base in self.plan.nodes
        view.state, view.reason = (state, reason) if wanted else ("removed", view.reason)
        self.pending.pop(node_id, None)
        return view

    @_fold.register
    def _(self, event: ev.NodeExpanded) -> None:
        view = self._becomes(event.node_id, "running")
        view.elements = event.elements
        view.started_at = view.started_at or event.at

    @_fold.register
    def _(self, event: ev.AttemptStarted) -> None:
        view = self._becomes(event.node_id, "running")
        view.input_digest = event.input_digest
        view.started_at = view.started_at or event.at
        view.attempts.append(
            AttemptView(attempt=event.attempt, rung=event.rung, started_at=event.at, input_digest=event.input_digest)
        )

    def _attempt(self, node_id: NodeId | None, attempt: int) -> AttemptView | None:
        found = self.nodes.get(node_id) if node_id else None
        attempts = reversed(found.attempts) if found else ()
        return next((item for item in attempts if item.attempt == attempt), None)

    @_fold.register
    def _(self, event: ev.CallStarted) -> None:
        self.open_calls[event.call_id] = event

    @_fold.register
    def _(self, event: ev.CallEnded) -> None:
        self.open_calls.pop(event.call_id, None)
        self.usage += event.usage
        self.cost_usd += event.cost_usd
        self.rehearsal = self.rehearsal or event.model.startswith("rehearsal/")
        if attempt := self._attempt(event.node_id, event.attempt):
            attempt.usage += event.usage
            attempt.cost_usd += event.cost_usd
            attempt.model = event.model or attempt.model

    @_fold.register
    def _(self, event: ev.BatchAdvanced) -> None:
        before = self.batches.get(event.batch)
        self.batches[event.batch] = replace(event, calls=before.calls) if before else event

    @_fold.register
    def _(self, event: ev.ToolCalled) -> None:
        if attempt := self._attempt(event.node_id, event.attempt):
            attempt.tool_calls += 1

    @_fold.register
    def _(self, event: ev.EffectStarted) -> None:
        record = EffectRecord(key=event.key, work=event.work, tool=event.tool, args=event.args, attempt=event.attempt)
        self.node(event.node_id).effects[event.key] = record

    @_fold.register
    def _(self, event: ev.EffectEnded) -> None:
        effects = self.node(event.node_id).effects
        if (begun := effects.get(event.key)) is not None:
            effects[event.key] = replace(begun, outcome=event.outcome, result=event.result, error=event.error)

    @_fold.register
    def _(self, event: ev.BoardAdvanced) -> None:
        self.node(event.node_id).panel = PanelRecord(
            attempt=event.attempt, board=event.board, dissent=event.contradictions
        )

    @_fold.register
    def _(self, event: ev.PanelStopped) -> None:
        view = self.node(event.node_id)
        if view.panel is not None:
            view.panel = replace(view.panel, stopped=event.reason, dissent=event.dissent)

    @_fold.register
    def _(self, event: ev.SampleDrawn) -> None:
        if attempt := self._attempt(event.node_id, event.attempt):
            attempt.samples[event.sample] = event.outcome

    @_fold.register
    def _(self, event: ev.PolicySetAside) -> None:
        self.policy_aside.add((event.rung, event.reason))

    @_fold.register
    def _(self, event: ev.AttemptEnded) -> None:
        if attempt := self._attempt(event.node_id, event.attempt):
            attempt.ended_at, attempt.failed, attempt.evidence = event.at, event.failed, event.evidence

    @_fold.register
    def _(self, event: ev.Decided) -> None:
        self.decisions.append(
            DecisionRecord(
                node_id=event.node_id,
                attempt=event.attempt,
                action=event.action,
                reason=event.reason,
                rung=event.rung,
                at=event.at,
            )
        )

    @_fold.register
    def _(self, event: ev.NodeCommitted) -> None:
        view = self._becomes(event.node_id, "done")
        view.output, view.ended_at = event.output, event.at
        view.input_digest, view.reused = event.input_digest, event.reused
        view.started_at = view.started_at or event.at
        self.committed[event.node_id, event.input_digest] = event

    @_fold.register
    def _(self, event: ev.Recalled) -> None:
        self.recalled[event.node_id, event.input_digest] = event
        self.recalled_untrusted = self.recalled_untrusted or event.untrusted

    @_fold.register
    def _(self, event: ev.Remembered) -> None:
        self.remembered.add((event.node_id, event.input_digest))

    @_fold.register
    def _(self, event: ev.NodeFailed) -> None:
        self._becomes(event.node_id, "failed", event.failed.message).ended_at = event.at

    @_fold.register
    def _(self, event: ev.NodeSkipped) -> None:
        self._becomes(event.node_id, "skipped", event.reason).ended_at = event.at

    @_fold.register
    def _(self, event: ev.NodeHeld) -> None:
        before = self.pending.get(event.node_id)
        if self._becomes(event.node_id, "held", event.reason).state == "held":
            same = before is not None and before.bound_to == event.node_digest
            self.pending[event.node_id] = PendingApproval(
                node_id=event.node_id,
                reason=event.reason,
                bound_to=event.node_digest,
                kind=event.kind,
                shown=event.shown,
                held_at=before.held_at if before and same else event.at,
            )

    @_fold.register
    def _(self, event: ev.PlanHeld) -> None:
        self.pending[None] = PendingApproval(
            node_id=None, reason="the plan waits for approval", bound_to=event.plan_digest, held_at=event.at
        )

    @_fold.register
    def _(self, event: ev.ApprovalGiven) -> None:
        waited = self.pending.pop(event.node_id, None)
        self.approvals[event.node_id, event.bound_to] = event
        if event.node_id:
            view = self.node(event.node_id)
            view.state = "pending"
            if event.note:
                view.notes.append((waited.reason if waited else "", event.note))

    @_fold.register
    def _(self, event: ev.BudgetRaised) -> None:
        caps: dict[str, Json] = {name: int(cap) if cap == int(cap) else cap for name, cap in event.caps.items()}
        self.workflow = with_caps(self.workflow, caps)

    @_fold.register
    def _(self, event: ev.WorkflowMended) -> None:
        self.workflow, self.base_dir = event.workflow, event.base_dir
        self.inputs, self.pins = event.inputs, event.pins

    @_fold.register
    def _(self, event: ev.RunEnded) -> None:
        self.status, self.output, self.error = event.status, event.output, event.error
        self.untrusted = event.untrusted
        self.ended_at = event.at
        for view in self.nodes.values():
            if view.state == "running":
                view.state, view.reason = "pending", "stopped while it ran"
