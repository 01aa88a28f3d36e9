"""Sends the spans of runs to where OpenTelemetry's variables say."""

import asyncio
import os
from collections.abc import Callable
from importlib.metadata import version

from opentelemetry import trace as api
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.telemetry import names
from planloom.telemetry.fold import SpanFold
from planloom.telemetry.ids import span_id_of, trace_id_of
from planloom.telemetry.span import Span

_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_YES = ("true", "1", "span_only", "span_and_event")
_SAMPLED = api.TraceFlags(api.TraceFlags.SAMPLED)


class Traces:
    """An observer that makes a trace of each run.

    Args:
        exporter: Where spans go; `None` is OTLP over HTTP, as the `OTEL_EXPORTER_OTLP_*` variables say.
        content: Put arguments of tools, outputs and texts of failures into attributes; `None` asks
            `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`, and does not where that is not set.
    """

    def __init__(self, exporter: SpanExporter | None = None, *, content: bool | None = None) -> None:
        self._content = os.environ.get(_CONTENT, "").strip().lower() in _YES if content is None else content
        self._ids = _Ids()
        self._provider = TracerProvider(id_generator=self._ids, resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _otlp()))
        self._tracer = self._provider.get_tracer("planloom", version("planloom"))

    def watch(self, run_id: RunId, past: int) -> Callable[[ev.AnyEvent], None]:
        """Return what takes a run's events in order.

        The process that had a stretch which was cut off may not have sent all of its spans: they are sent again, under
        the same ids. Those of stretches that ended in good order are not.

        Args:
            run_id: The run.
            past: So many of the events were noted by earlier processes.
        """
        trace_id = int(trace_id_of(run_id), 16)
        if self._provider.sampler.should_sample(None, trace_id, "run").decision is Decision.DROP:
            return lambda _: None
        fold, told, cut = SpanFold(content=self._content), 0, list[Span]()

        def take(event: ev.AnyEvent) -> None:
            nonlocal told
            told += 1
            done = fold.apply(event)
            if told > past:
                self._send(trace_id, done)
                return
            cut.extend(done)
            if isinstance(event, ev.RunEnded):
                cut.clear()
            if told == past:
                self._send(trace_id, cut)

        return take

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)

    def _send(self, trace_id: int, spans: list[Span]) -> None:
        for span in spans:
            self._send_one(trace_id, span)

    def _send_one(self, trace_id: int, span: Span) -> None:
        self._ids.trace_id, self._ids.span_id = trace_id, span_id_of(trace_id, span.key)
        around = api.INVALID_SPAN
        if span.parent:
            parent = api.SpanContext(trace_id, span_id_of(trace_id, span.parent), is_remote=False, trace_flags=_SAMPLED)
            around = api.NonRecordingSpan(parent)
        made = self._tracer.start_span(
            span.name,
            api.set_span_in_context(around),
            api.SpanKind.CLIENT if span.client else api.SpanKind.INTERNAL,
            dict(span.attributes),
            start_time=_ns(span.start),
        )
        for mark in span.marks:
            made.add_event(mark.name, dict(mark.attributes), _ns(mark.at))
        if span.error:
            made.set_attribute(names.ERROR_TYPE, span.error)
            made.set_status(api.StatusCode.ERROR, span.error)
        made.end(_ns(span.end))


class _Ids(IdGenerator):
    """Gives the next span the ids that it was told; spans are made one at a time, on one thread."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _resource() -> Resource:
    named = "OTEL_SERVICE_NAME" in os.environ or f"{SERVICE_NAME}=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {SERVICE_NAME: "planloom"})
