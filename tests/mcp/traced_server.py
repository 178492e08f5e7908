"""Serves a toy bare, instrumented, and instrumented with the SDK's middleware kept, and prints the
spans of each as JSON. Arguments: the folder of the stores, and when the provider is configured.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

sys.path.insert(0, str(Path(__file__).parents[2]))

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import low_toy
from tests.support import recording

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def configure() -> InMemorySpanExporter:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    return memory


async def visit(server: Any) -> None:
    async with Client(server) as client:
        await client.call_tool("add", {"a": 1, "b": 2}, meta={"traceparent": TRACEPARENT})
        await client.call_tool("add", {"a": 1, "b": 2})
        await client.call_tool("refuses", {})
        for name in ("boom", "protocol"):
            try:
                await client.call_tool(name, {})
            except MCPError:
                continue


def shown(memory: InMemorySpanExporter) -> list[Any]:
    """Return what does not differ from run to run, and forget it."""
    spans = memory.get_finished_spans()
    memory.clear()
    return [
        [s.name, s.kind.name, s.status.status_code.name, s.status.description,
         {k: v for k, v in (s.attributes or {}).items() if k != "jsonrpc.request.id"},
         s.parent is not None, len(s.events)]
        for s in spans if s.kind.name == "SERVER"
    ]  # fmt: skip


async def main(root: Path, when: str) -> None:
    memory = configure() if when == "before" else None
    with recording(root / "ours") as ours, recording(root / "kept") as kept:
        servers = [
            low_toy(),
            instrument(low_toy(), ours),
            instrument(low_toy(), kept, keep_opentelemetry=True),
        ]
        memory = memory or configure()
        found = []
        for server in servers:
            await visit(server)
            found.append(shown(memory))
    print(json.dumps(found))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
