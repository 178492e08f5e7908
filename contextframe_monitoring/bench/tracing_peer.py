"""The peer of `bench overhead`: the SDK's own span for each call, with a batch processor.

A tracer provider is for ever in a process, so this one has a process of its own. It prints what
`bench overhead` shows of it, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from contextframe_monitoring.bench import in_memory
from contextframe_monitoring.bench.pairs import differences
from contextframe_monitoring.bench.toys import SERVERS


def main(calls: int) -> None:
    """Measure `calls` calls of each server and era."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class Nowhere(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        print(json.dumps(anyio.run(_measure, calls, Path(folder))))  # noqa: T201 - for the parent
    provider.shutdown()


async def _measure(calls: int, folder: Path) -> list[dict[str, Any]]:
    lanes: dict[str, in_memory.Prepare] = {
        "bare": in_memory.without_tracing,
        "span": in_memory.plain,
    }
    rows = []
    for server in SERVERS:
        for era in in_memory.ERAS:
            took = await in_memory.took_ns(server, era, lanes, calls, folder / server / era)
            added = differences(took["span"], took["bare"], 1000)
            rows.append({"server": server, "era": era, "span_added_us": added})
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]))
