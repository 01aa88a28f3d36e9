"""What runs did in this process, as numbers for Prometheus. No label names a tenant, a run or a node."""

from collections.abc import Callable
from functools import singledispatchmethod

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from planloom.core import events as ev
from planloom.core.plan import RunId

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """An observer that counts; each event once, in the process that it happened in."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._runs = Counter("planloom_runs", "Runs that ended or came to wait.", ["status"], registry=registry)
        self._nodes = Counter("planloom_nodes", "Nodes that ended.", ["state"], registry=registry)
        self._attempts = Counter(
            "planloom_attempts", "Attempts that ended; failure is empty for good ones.", ["failure"], registry=registry
        )
        self._decisions = Counter("planloom_decisions", "What the router decided.", ["action"], registry=registry)
        self._tokens = Counter("planloom_tokens", "Tokens of model calls.", ["rung", "type"], registry=registry)
        self._usd = Counter("planloom_cost_usd", "US dollars of model calls.", ["rung"], registry=registry)
        self._calls = Histogram(
            "planloom_call_seconds", "Time of model calls.", ["rung"], buckets=_SECONDS, registry=registry
        )
        self._run_queue, self._node_queue, self._run_seconds, self._attempt_seconds, self._tools = (
            Histogram(f"planloom_{name}_seconds", about, buckets=_SECONDS, registry=registry)
            for name, about in (
                ("run_queue", "Time from when a run is asked for until its work begins."),
                ("node_queue", "Time that attempts are ready and wait for a place."),
                ("run", "Time of stretches of work on runs, until they end or wait."),
                ("attempt", "Time of attempts."),
                ("tool", "Time of calls of tools."),
            )
        )

    def watch(self, run_id: RunId, past: int) -> Callable[[ev.AnyEvent], None]:
        """Return what counts a run's events behind the first `past` ones."""
        left, asked_at, began_at = past, 0.0, 0.0

        def take(event: ev.AnyEvent) -> None:
            nonlocal left, asked_at, began_at
            if left > 0:
                left -= 1
                return
            self._count(event)
            match event:
                case ev.RunStarted():
                    asked_at, began_at = event.created_at, event.at
                case ev.RunResumed():
                    began_at = event.at
                case ev.PlanRequested() | ev.AttemptStarted() | ev.NodeHeld() | ev.PlanHeld() if asked_at:
                    self._run_queue.observe(max(0.0, event.at - asked_at))
                    asked_at = 0.0
                case ev.RunEnded() if began_at:
                    self._run_seconds.observe(max(0.0, event.at - began_at))
                case _:
                    pass

        return take

    async def close(self) -> None:
        """Do nothing: the numbers can be read to the end."""

    def text(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        return generate_latest(self._registry)

    @singledispatchmethod
    def _count(self, event: ev.AnyEvent) -> None:
        """Take no notice of the other events."""

    @_count.register
    def _(self, event: ev.RunEnded) -> None:
        self._runs.labels(event.status).inc()

    @_count.register
    def _(self, event: ev.NodeCommitted) -> None:
        self._nodes.labels("reused" if event.reused else "done").inc()

    @_count.register
    def _(self, event: ev.NodeFailed) -> None:
        self._nodes.labels("failed").inc()

    @_count.register
    def _(self, event: ev.NodeSkipped) -> None:
        self._nodes.labels("skipped").inc()

    @_count.register
    def _(self, event: ev.AttemptStarted) -> None:
        self._node_queue.observe(event.waited_s)

    @_count.register
    def _(self, event: ev.ToolCalled) -> None:
        self._tools.observe(event.seconds)

    @_count.register
    def _(self, event: ev.AttemptEnded) -> None:
        self._attempts.labels(event.failed.kind.value if event.failed else "").inc()
        self._attempt_seconds.observe(event.seconds)

    @_count.register
    def _(self, event: ev.Decided) -> None:
        self._decisions.labels(event.action).inc()

    @_count.register
    def _(self, event: ev.CallEnded) -> None:
        self._tokens.labels(event.rung, "input").inc(event.usage.input_tokens)
        self._tokens.labels(event.rung, "output").inc(event.usage.output_tokens)
        self._usd.labels(event.rung).inc(event.cost_usd)
        self._calls.labels(event.rung).observe(event.seconds)
