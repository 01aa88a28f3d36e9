"""What a run tells the outside while it runs, folded from its events: spans for OpenTelemetry, log records.

`Traces` needs `pip install "planloom[otel]"`. Nothing of this is imported unless it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planloom.telemetry.ids import trace_id_of as trace_id_of
    from planloom.telemetry.log_format import formatter as formatter
    from planloom.telemetry.logs import Logs as Logs
    from planloom.telemetry.traces import Traces as Traces

_HOMES = {
    "Logs": "planloom.telemetry.logs",
    "Traces": "planloom.telemetry.traces",
    "formatter": "planloom.telemetry.log_format",
    "trace_id_of": "planloom.telemetry.ids",
}
__all__ = ["Logs", "Traces", "formatter", "trace_id_of"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: logs need no OpenTelemetry."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planloom.telemetry' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
