"""A small OTLP collector: takes spans over HTTP as protobuf and keeps them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Plain = str | bool | int | float | list[str]


@dataclass(frozen=True)
class Got:
    """One span as it came over the wire."""

    span: Span
    resource: dict[str, Plain]

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def attributes(self) -> dict[str, Plain]:
        return plain(self.span.attributes)


def plain(attributes: object) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for item in attributes:  # type: ignore[attr-defined]
        kind = item.value.WhichOneof("value")
        value = getattr(item.value, kind)
        found[item.key] = [part.string_value for part in value.values] if kind == "array_value" else value
    return found


@dataclass
class Collector:
    """What came in."""

    url: str
    spans: list[Got] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def named(self, start: str) -> list[Got]:
        return [got for got in self.spans if got.name.startswith(start)]

    def tree(self) -> list[str]:
        """Write all spans with their depth, siblings by start and name; each parent must be there, once."""
        by_id = {got.span.span_id: got for got in self.spans}
        assert len(by_id) == len(self.spans), "a span came twice"

        def below(parent: bytes, depth: int) -> Iterator[str]:
            children = [got for got in self.spans if got.span.parent_span_id == parent]
            for got in sorted(children, key=lambda one: (one.span.start_time_unix_nano, one.name)):
                yield "  " * depth + got.name
                yield from below(got.span.span_id, depth + 1)

        lines = list(below(b"", 0))
        assert len(lines) == len(self.spans), "a span has no parent"
        return lines


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a port of one's own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            sent = ExportTraceServiceRequest.FromString(body)
            collector.bodies.append(body)
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    collector.spans += [Got(span, plain(resource.resource.attributes)) for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
