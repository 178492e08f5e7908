"""The Prometheus text format: metrics added up over the rows of a window, to be pushed or read."""

from __future__ import annotations

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Selection, Source


class PrometheusText:
    """Metric families of a subject, `all` for every one and the monitor's own."""

    suffix, binary, tabular = ".prom", False, False
    notes = "Prometheus text format 0.0.4"

    def write(self, source: Source, sink: Sink) -> int:
        """Write the exposition and return the number of its samples."""
        from contextframe_monitoring.export.prometheus import PrometheusExposition

        if not isinstance(source, Selection):
            raise InvalidError("format", "prometheus", "a report goes out as json, jsonl or csv")
        exposition = PrometheusExposition(
            source.store,
            source.limits,
            subject=source.subject,
            start_us=source.start_us,
            end_us=source.end_us,
        )
        text = exposition.text()
        sink.write(text.encode())
        return sum(not line.startswith("#") for line in text.splitlines())
