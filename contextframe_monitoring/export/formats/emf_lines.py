"""CloudWatch's embedded metric format: metrics added up over the rows of a window."""

from __future__ import annotations

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Selection, Source


class EmfLines:
    """Metrics of a subject, `all` for every one and the monitor's own."""

    suffix, binary, tabular = ".emf.jsonl", False, False
    notes = "CloudWatch embedded metric format, one line a label set"

    def write(self, source: Source, sink: Sink) -> int:
        """Write the lines and return their number."""
        from contextframe_monitoring.export.emf import lines
        from contextframe_monitoring.export.metrics.totals import Totals
        from contextframe_monitoring.store.machine import SystemClock

        if not isinstance(source, Selection):
            raise InvalidError("format", "emf", "a report goes out as json, jsonl or csv")
        now_us = SystemClock().now_us()
        totals = Totals(
            source.store,
            source.limits,
            subject=source.subject,
            start_us=source.start_us,
            end_us=source.end_us,
        )
        time_us = now_us if source.end_us is None else min(source.end_us, now_us)
        rows = 0
        for line in lines(totals.families(now_us), source.namespace, time_us):
            sink.write(line)
            rows += 1
        return rows
