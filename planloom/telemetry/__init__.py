"""What a run tells the outside while it runs: spans for OpenTelemetry, folded from its events.

Needs `pip install "planloom[otel]"`. Nothing of this is imported unless it is asked for.
"""

from planloom.telemetry.traces import Traces as Traces
from planloom.telemetry.traces import trace_id_of as trace_id_of

__all__ = ["Traces", "trace_id_of"]
