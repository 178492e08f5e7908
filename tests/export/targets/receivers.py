"""What targets are in tests: HTTP servers on loopback that take, refuse, hang and babble."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Taken:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers as it is told; `taken` has what was answered with 2xx, `asked` everything."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    asked: list[Taken] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Answers to give first."""
    hang: threading.Event | None = None

    def metrics(self) -> dict[str, Metric]:
        """The metrics of the last request for them."""
        body = next(t.body for t in reversed(self.taken) if t.path.endswith("/metrics"))
        request = ExportMetricsServiceRequest.FromString(body)
        return {
            metric.name: metric
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def spans(self) -> list[tuple[str, Span]]:
        """All spans that came, each with its service."""
        found = []
        for taken in self.taken:
            if taken.path.endswith("/traces"):
                for resource in ExportTraceServiceRequest.FromString(taken.body).resource_spans:
                    named = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        found += [(named["service.name"], span) for span in scope.spans]
        return found


@contextlib.contextmanager
def receiver(**told: object) -> Iterator[Receiver]:
    found = Receiver(**told)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            taken = Taken(self.path, dict(self.headers), body)
            found.asked.append(taken)
            if found.hang is not None:
                found.hang.wait(30)
                return
            status = found.statuses.pop(0) if found.statuses else found.status
            if 200 <= status < 300:
                found.taken.append(taken)
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        if found.hang is not None:
            found.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
