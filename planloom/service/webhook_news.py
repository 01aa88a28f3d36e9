"""What the receiver of a webhook is told of an event in a run."""

from collections.abc import Sequence
from datetime import UTC, datetime

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.view import RunView
from planloom.state.owners import LOCAL


def news_of(history: Sequence[ev.AnyEvent], seq: int, *, wanted: bool) -> JsonObject | None:
    """Return the body of a webhook; it says how the run stood then, whenever it is sent.

    Args:
        history: All events of the run.
        seq: Number of the event.
        wanted: The run is to be taken up again when its process is gone.

    Returns:
        `None` where there is nothing to tell: the run only stopped with its process, or what waits was told before.
    """
    if seq > len(history):
        return None  # deleted meanwhile
    event, view = history[seq - 1], RunView(history[: seq - 1])
    told = {node_id: waits.bound_to for node_id, waits in view.pending.items()}
    view.apply(event)
    run: JsonObject = {"run_id": view.run_id, "event_id": seq, "tenant": view.tenant or LOCAL, "workflow": view.name}
    match event:
        case ev.RunEnded():
            if event.status == "waiting" or (event.status == "cancelled" and (wanted or _goes_on(history[seq:]))):
                return None
            ended: JsonObject = {"status": event.status, "cost_usd": view.cost_usd, "error": event.error}
            return _body("run.ended", event.at, {**run, **ended, "ended_at": event.at})
        case ev.NodeHeld() | ev.PlanHeld():
            if all(told.get(node_id) == waits.bound_to for node_id, waits in view.pending.items()):
                return None
            return _body("run.waiting", event.at, {**run, "pending": _pending(view)})
        case _:
            return None


def _goes_on(later: Sequence[ev.AnyEvent]) -> bool:
    return any(isinstance(event, ev.RunResumed) for event in later)


def _pending(view: RunView) -> list[Json]:
    return [
        {"node_id": waits.node_id, "kind": waits.kind, "reason": waits.reason, "bound_to": waits.bound_to}
        for waits in view.pending.values()
    ]


def _body(kind: str, at: float, data: JsonObject) -> JsonObject:
    return {"type": kind, "timestamp": datetime.fromtimestamp(at, UTC).isoformat(), "data": data}
