"""From a run's events to its Gantt chart: who worked when, who waited for what, and what was decided."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from planloom.cli.axis import axis_of
from planloom.cli.gantt import Beat, Gantt, Lane, Mark, MarkKind, Span, SpanKind
from planloom.cli.order import edges_of, goal_of
from planloom.cli.rows import base_of
from planloom.cli.words import one_line, plural, seconds, usd
from planloom.core import events as ev
from planloom.core.node_view import AttemptView, NodeView
from planloom.core.outcome import Evidence, reason_of
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView

_HAIR = 0.01
_BRIEF_S = 0.05
"""Waits under this share of the axis, or so many seconds, are not worth drawing."""


def gantt_of(events: Sequence[ev.AnyEvent], now: float, subtitle: str = "", *, live: bool = True) -> Gantt:
    """Lay out a run.

    Args:
        events: The run's events in order.
        now: Seconds since the epoch up to which what has not ended is drawn.
        subtitle: A line below the title.
        live: Whether a process is at work on it, if it has not ended.
    """
    return _Layout(events, now, live).gantt(subtitle)


class _Layout:
    def __init__(self, events: Sequence[ev.AnyEvent], now: float, live: bool) -> None:
        self.events = events
        self.view = RunView(events)
        self.end = self.view.ended_at if self.view.ended_at is not None else now
        self.live = live and self.view.status == "running"
        self.axis = axis_of(events, self.end)
        self.hair = max(self.axis.length * _HAIR, _BRIEF_S)
        self.planned: dict[NodeId, tuple[Node, float]] = {}
        """Every node that ever stood in the plan, as it was last, with when it came."""
        self.expanded: dict[NodeId, float] = {}
        self.held: dict[NodeId | None, list[Span]] = {}
        self.open_holds: dict[NodeId | None, str] = {}
        """What waits for a person, and what the answer will be bound to."""
        self.answered: dict[NodeId | None, list[float]] = {}
        """When a person, or a policy, let what waited go on."""
        self.marks: dict[NodeId | None, list[Mark]] = {}
        self.beats: dict[NodeId | None, list[Beat]] = {}
        self.begun = [event.at for event in events if isinstance(event, ev.AttemptStarted)]
        self._gather()
        self.edges = edges_of({node_id: node for node_id, (node, _) in self.planned.items()})

    def gantt(self, subtitle: str) -> Gantt:
        elements: dict[NodeId, list[NodeView]] = {}
        for node in self.view.nodes.values():
            if (base := base_of(node.id)) != node.id:
                elements.setdefault(base, []).append(node)
        plain = (node for node in self.view.nodes.values() if base_of(node.id) == node.id)
        lanes = [self._lane(node, elements.get(node.id, ())) for node in plain]
        started = sorted((lane for lane in lanes if lane.start is not None), key=lambda lane: lane.start or 0.0)
        return Gantt(
            title=one_line(self.view.name or self.view.run_id),
            subtitle=one_line(subtitle, 400),
            axis=self.axis,
            lanes=(*self._planner(), *started, *(lane for lane in lanes if lane.start is None)),
            costs=tuple(self._costs()),
            cap_usd=self._cap(),
        )

    def _gather(self) -> None:
        for event in self.events:
            match event:
                case ev.NodePlanned():
                    self._plan(event.node, event.at)
                case ev.PlanReady():
                    for node in event.plan.nodes.values():
                        self._plan(node, event.at)
                case ev.NodeExpanded():
                    self.expanded.setdefault(event.node_id, event.at)
                case ev.Decided():
                    reason = f"{event.action}: {one_line(event.reason, 400)}"
                    title = f"{reason}\nnext rung: {one_line(event.rung)}" if event.rung else reason
                    self._mark(event.node_id, Mark(kind=event.action, at=self.axis.place(event.at), title=title))
                case ev.BoardAdvanced() | ev.PanelStopped():
                    self._gather_panel(event)
                case _:
                    self._gather_human(event)
        self._gather_beats()

    def _plan(self, node: Node, at: float) -> None:
        self.planned[node.id] = (node, self.planned[node.id][1] if node.id in self.planned else at)

    def _mark(self, node_id: NodeId | None, mark: Mark) -> None:
        self.marks.setdefault(node_id, []).append(mark)

    def _gather_panel(self, event: ev.BoardAdvanced | ev.PanelStopped) -> None:
        """Mark the end of each round of a panel, and what the panel left open."""
        place = self.axis.place(event.at)
        if isinstance(event, ev.PanelStopped):
            left = "".join(f"\n{' and '.join(pair.claims)}: {one_line(pair.reason)}" for pair in event.dissent[:5])
            if left:
                self._mark(event.node_id, Mark(kind="dissent", at=place, title=f"{event.reason}{left}"))
        elif event.board.merged_round == event.board.round:
            standing = plural(len(event.board.standing), "claim")
            title = f"round {event.board.round} merged: {standing} stand, board version {event.board.version}"
            self._mark(event.node_id, Mark(kind="round", at=place, title=title))

    def _gather_human(self, event: ev.AnyEvent) -> None:
        """Take in what waits for a person, and the answer; the span of a wait grows until then."""
        if isinstance(event, ev.NodeHeld):
            self._hold(event.node_id, event.at, event.node_digest, event.reason)
        elif isinstance(event, ev.PlanHeld):
            self._hold(None, event.at, event.plan_digest, "the plan waits for approval")
        elif isinstance(event, ev.ApprovalGiven):
            place = self.axis.place(event.at)
            self.answered.setdefault(event.node_id, []).append(event.at)
            if self.open_holds.pop(event.node_id, None):
                waits = self.held[event.node_id]
                waits[-1] = replace(waits[-1], end=place)
            word: MarkKind = "approved" if event.approved else "rejected"
            by = "by policy, nobody answered in time" if event.given_by == "policy" else "by a human"
            title = f"{word} {by}\n{one_line(event.note, 400)}".strip()
            self._mark(event.node_id, Mark(kind=word, at=place, title=title))

    def _hold(self, node_id: NodeId | None, at: float, bound_to: str, reason: str) -> None:
        """Begin a wait; one that goes on over a resume is written down again."""
        if self.open_holds.get(node_id) == bound_to:
            return
        self.open_holds[node_id] = bound_to
        place, title = self.axis.place(at), f"waits for a human: {one_line(reason, 400)}"
        span = Span(kind="human", start=place, end=self.axis.length, title=title)
        self.held.setdefault(node_id, []).append(span)
        self._mark(node_id, Mark(kind="held", at=place, title=title))

    def _gather_beats(self) -> None:
        open_calls: dict[str, ev.CallStarted] = {}
        for event in self.events:
            if isinstance(event, ev.CallStarted):
                open_calls[event.call_id] = event
            elif isinstance(event, ev.CallEnded):
                begun = open_calls.pop(event.call_id, None)
                start = begun.at if begun else event.at - event.seconds
                who = f" for {begun.member}" if begun and begun.member else ""
                title = (
                    f"model call{who}: {one_line(event.model or event.rung)}\n{seconds(event.seconds)}, "
                    f"{plural(event.usage.tokens, 'token')}, {usd(event.cost_usd)}\n{one_line(event.error, 400)}"
                )
                self._beat(event.node_id, "model", start, event.at, title)
            elif isinstance(event, ev.ToolCalled):
                title = f"tool call: {one_line(event.tool)}\n{seconds(event.seconds)}\n{one_line(event.error, 400)}"
                self._beat(event.node_id, "tool", event.at - event.seconds, event.at, title)
        for call in open_calls.values():
            self._beat(call.node_id, "model", call.at, self.end, f"model call: {one_line(call.rung)}\nnot ended")

    def _beat(
        self, node_id: NodeId | None, kind: Literal["model", "tool"], start: float, end: float, title: str
    ) -> None:
        first, final = self.axis.place(start), self.axis.place(min(end, self.axis.stopped(start)))
        self.beats.setdefault(node_id, []).append(Beat(kind=kind, start=first, end=final, title=title.strip()))

    def _planner(self) -> Iterator[Lane]:
        """Yield the planner's own row, where there is one."""
        spans: list[Span] = list(self.held.get(None, ()))
        begun: ev.PlanRequested | None = None
        for event in self.events:
            if isinstance(event, ev.PlanRequested):
                begun = begun if begun and event.asked else event
            elif begun and isinstance(event, ev.PlanReady | ev.PlanRejected | ev.ReplanFailed | ev.RunResumed):
                spans.append(self._planned_span(begun, event))
                begun = None
        if begun:
            spans.append(self._planned_span(begun, None))
        if spans:
            cost = self.view.cost_usd - sum(node.cost_usd for node in self.view.nodes.values())
            yield Lane(
                name="planner",
                state="done",
                facts=usd(cost) if cost > 1e-9 else "",
                goal="writes and mends the plan",
                spans=tuple(spans),
                beats=tuple(self.beats.get(None, ())),
                marks=tuple(self.marks.get(None, ())),
            )

    def _planned_span(self, begun: ev.PlanRequested, ended: ev.AnyEvent | None) -> Span:
        end = min(ended.at if ended else self.end, self.axis.stopped(begun.at))
        told = f"{begun.purpose} on {one_line(begun.rung)}"
        match ended:
            case ev.PlanReady():
                told += f"\nplan v{ended.plan.version}, {plural(len(ended.plan.nodes), 'node')}"
            case ev.PlanRejected():
                told += "".join(f"\n{one_line(finding.text, 200)}" for finding in ended.findings[:5])
            case ev.ReplanFailed():
                told += f"\n{one_line(ended.reason, 400)}"
            case _:
                told += "\nnot ended"
        kind: SpanKind = "running" if ended is None and self.live else "cut"
        if isinstance(ended, ev.PlanReady | ev.PlanRejected | ev.ReplanFailed):
            kind = "plan" if isinstance(ended, ev.PlanReady) else "failed"
        label = f"{begun.purpose} · {begun.rung}"
        return Span(kind=kind, start=self.axis.place(begun.at), end=self.axis.place(end), label=label, title=told)

    def _lane(self, node: NodeView, elements: Sequence[NodeView] = ()) -> Lane:
        goal = goal_of(self.planned[node.id][0]) if node.id in self.planned else node.goal
        spans = [*self._waits(node), *(self._attempt(node, attempt) for attempt in node.attempts)]
        if not node.attempts and node.started_at is not None:
            spans.append(self._whole(node))
        done = sum(element.state == "done" for element in elements)
        cost_usd = node.cost_usd + sum(element.cost_usd for element in elements)
        tries = f"×{len(node.attempts)}" if len(node.attempts) > 1 else ""
        facts = [tries, node.state if node.started_at is None else seconds(self._took(node))]
        facts.append(usd(cost_usd) if cost_usd else "")
        return Lane(
            name=f"{node.id} {done}/{node.elements}" if node.elements is not None else one_line(node.id),
            state=node.state,
            facts=" · ".join(fact for fact in facts if fact),
            goal=one_line(goal, 400),
            spans=tuple(spans),
            beats=tuple(self.beats.get(node.id, ())),
            marks=tuple(self.marks.get(node.id, ())),
            elements=tuple(self._lane(element) for element in elements),
        )

    def _took(self, node: NodeView) -> float:
        """Return the seconds of its attempts; a map's own row counts from its first element to its last."""
        if node.attempts:
            return sum(self._ended(attempt) - attempt.started_at for attempt in node.attempts)
        started_at = self.end if node.started_at is None else node.started_at
        return self.axis.worked(started_at, node.ended_at if node.ended_at is not None else self.end)

    def _ended(self, attempt: AttemptView) -> float:
        end = attempt.ended_at if attempt.ended_at is not None else self.end
        return min(end, self.axis.stopped(attempt.started_at))

    def _waits(self, node: NodeView) -> Iterator[Span]:
        yield from self.held.get(node.id, ())
        came = self.planned[node.id][1] if node.id in self.planned else self.expanded.get(base_of(node.id))
        if came is None or not node.attempts:
            return
        first = node.attempts[0].started_at
        settled = [
            self.view.nodes[need].ended_at or 0.0 for need in self.edges.get(node.id, ()) if need in self.view.nodes
        ]
        ready = min(max([came, *settled]), first)
        yield from self._wait("needs", came, ready, "waits for what it needs")
        idle = ready
        for attempt in node.attempts:
            free = self._free(node.id, idle, attempt.started_at)
            yield from self._wait("slot", free, attempt.started_at, "waits for a place to run")
            idle = self._ended(attempt)

    def _free(self, node_id: NodeId, idle: float, start: float) -> float:
        """Return from when nothing but a place was missing: no answer, and no process that is at work."""
        answers = [
            at for held in (None, base_of(node_id), node_id) for at in self.answered.get(held, ()) if at <= start
        ]
        began = self.axis.taken_up(start)
        resumed = [at for at in self.begun if at >= began] if began > idle else []
        return max([idle, *answers, *resumed[:1]])

    def _wait(self, kind: SpanKind, start: float, end: float, title: str) -> Iterator[Span]:
        first, final = self.axis.place(start), self.axis.place(end)
        if final - first > self.hair:
            yield Span(kind=kind, start=first, end=final, title=f"{title}, {seconds(final - first)}")

    def _attempt(self, node: NodeView, attempt: AttemptView) -> Span:
        end = self._ended(attempt)
        return Span(
            kind=self._kind(attempt),
            start=self.axis.place(attempt.started_at),
            end=self.axis.place(end),
            label=attempt.rung,
            title="\n".join(_told(node, attempt, end - attempt.started_at)),
        )

    def _kind(self, attempt: AttemptView) -> SpanKind:
        if attempt.ended_at is None:
            return "running" if self.live else "cut"
        if attempt.cut_off:
            return "cut"
        return "failed" if attempt.failed else "passed"

    def _whole(self, node: NodeView) -> Span:
        start, end = node.started_at or self.end, node.ended_at if node.ended_at is not None else self.end
        told = f"{node.id}: {plural(node.elements, 'element')}" if node.elements is not None else str(node.id)
        return Span(kind="map", start=self.axis.place(start), end=self.axis.place(end), title=f"{told}\n{node.state}")

    def _costs(self) -> Iterator[tuple[float, float]]:
        spent = 0.0
        yield 0.0, 0.0
        calls = [event for event in self.events if isinstance(event, ev.CallEnded) and event.cost_usd]
        for event in sorted(calls, key=lambda event: event.at):
            spent += event.cost_usd
            yield self.axis.place(event.at), spent
        yield self.axis.length, spent

    def _cap(self) -> float | None:
        budget = self.view.workflow.get("budget")
        cap = budget.get("usd") if isinstance(budget, Mapping) else None
        return float(cap) if isinstance(cap, int | float) else None


def _told(node: NodeView, attempt: AttemptView, took_s: float) -> Iterator[str]:
    on = f" on {one_line(attempt.rung)}" if attempt.rung else ""
    model = f" ({one_line(attempt.model)})" if attempt.model not in ("", attempt.rung) else ""
    yield f"{one_line(node.id)}, attempt {attempt.attempt}{on}{model}"
    counts = [(attempt.usage.calls, "call"), (attempt.tool_calls, "tool call"), (attempt.usage.tokens, "token")]
    facts = [seconds(took_s), *(plural(count, noun) for count, noun in counts if count)]
    yield ", ".join([*facts, *([usd(attempt.cost_usd)] if attempt.cost_usd else [])])
    if attempt.failed:
        yield reason_of(attempt.failed.kind.value, one_line(attempt.failed.message, 400))
    yield from (_saw(item) for item in attempt.evidence[:8])


def _saw(item: Evidence) -> str:
    if item.passed:
        return f"✓ {one_line(item.check)}"
    found = f", found {one_line(item.found)}" if item.found else ""
    return f"✗ {one_line(item.check)}{found}"
