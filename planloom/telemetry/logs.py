"""What runs do, as records of Python's own logging."""

import logging
from collections.abc import Callable

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.plan import RunId
from planloom.state.owners import LOCAL
from planloom.telemetry.facts import facts_of, kind_of
from planloom.telemetry.ids import trace_id_of

_log = logging.getLogger("planloom.run")
_CONTENT = frozenset({"args", "evidence", "goal", "note", "output", "subject"})
"""Facts that hold what models, tools and people said at length: the journal has them."""
_TAKEN = {"name": "workflow", "message": "error"}
"""Facts by the names of a record's own fields have another name in it."""
_TEXT_CHARS = 500
_DETAILS = (
    ev.NodePlanned
    | ev.NodeExpanded
    | ev.AttemptStarted
    | ev.CallStarted
    | ev.CallEnded
    | ev.ToolCalled
    | ev.EffectStarted
    | ev.EffectEnded
    | ev.BoardAdvanced
    | ev.SampleDrawn
    | ev.Recalled
    | ev.Remembered
)


class Logs:
    """An observer that writes a record of the logger `planloom.run` for each event.

    Its message is the kind of the event; `run`, `tenant`, `workflow`, `trace_id` and the event's facts are attributes.
    It sets nothing up: levels, handlers and formats are those of whoever runs the program.
    """

    def watch(self, run_id: RunId, past: int) -> Callable[[ev.AnyEvent], None]:
        """Return what writes a run's events behind the first `past` ones."""
        about: JsonObject = {"run": run_id, "trace_id": trace_id_of(run_id)}
        seen = 0

        def take(event: ev.AnyEvent) -> None:
            nonlocal seen
            seen += 1
            if isinstance(event, ev.RunStarted):
                about.update(tenant=event.tenant or LOCAL, workflow=event.name)
            level = _level(event)
            if seen > past and _log.isEnabledFor(level):
                _log.log(level, kind_of(event), extra={**about, **_told(event)})

        return take

    async def close(self) -> None:
        """Do nothing: handlers belong to others."""


def _level(event: ev.AnyEvent) -> int:
    match event:
        case ev.RunEnded(status="failed"):
            return logging.ERROR
        case ev.RunEnded(status="partial") | ev.NodeFailed() | ev.PlanRejected() | ev.ReplanFailed():
            return logging.WARNING
        case ev.BudgetReached():
            return logging.WARNING
        case ev.CallEnded() if event.error:
            return logging.WARNING
        case _:
            return logging.DEBUG if isinstance(event, _DETAILS) else logging.INFO


def _told(event: ev.AnyEvent) -> dict[str, Json]:
    return {
        _TAKEN.get(name, name): value[:_TEXT_CHARS] if isinstance(value, str) else value
        for name, value in facts_of(event).items()
        if value not in (None, "") and name not in _CONTENT
    }
