"""We stand in for the SDK's OpenTelemetry middleware: nobody can tell, provider or not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import Server
from opentelemetry import propagate, trace

from contextframe_monitoring.core.traceparent import parent_of, trace_id_of
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import MODES, low_toy
from tests.support import operations, recording

pytestmark = pytest.mark.anyio

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
PROGRAM = Path(__file__).parent / "traced_server.py"


def traced_low() -> tuple[Server[Any], list[dict[str, str]]]:
    """Return a server, and what a request from inside its handlers would carry on."""
    carried: list[dict[str, str]] = []

    async def spy(ctx: Any, call_next: Any) -> Any:
        if ctx.method == "tools/call":
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            carried.append(carrier)
        return await call_next(ctx)

    server = low_toy()
    server.middleware.append(spy)
    return server, carried


async def call(server: Server[Any], mode: str, meta: dict[str, Any]) -> None:
    async with Client(server, mode=mode) as client:
        await client.call_tool("add", {"a": 1, "b": 2}, meta=meta)


METAS: list[dict[str, Any]] = [
    {"traceparent": TRACEPARENT},
    {"traceparent": TRACEPARENT, "tracestate": "a=1", "baggage": "user=1"},
    {"traceparent": "00-0-0-0"},
    {"traceparent": 7},
    {"baggage": "user=1"},
    {},
]


@pytest.mark.requirement("spine:speed:stands-in")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("meta", METAS)
async def test_without_a_provider_the_context_goes_on_as_far_as_the_sdk_carries_it(
    tmp_path: Path, mode: str, meta: dict[str, Any]
) -> None:
    bare, wanted = traced_low()
    await call(bare, mode, meta)
    with recording(tmp_path) as monitor:
        server, found = traced_low()
        await call(instrument(server, monitor), mode, meta)

    assert found == wanted
    assert ("traceparent" in found[0]) is (meta.get("traceparent") == TRACEPARENT)
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keep", [False, True])
async def test_the_trace_id_is_the_correlation_id(tmp_path: Path, mode: str, keep: bool) -> None:
    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor, keep_opentelemetry=keep)
        for meta in METAS:
            await call(server, mode, meta)

    found = operations(tmp_path, "tools/call")
    assert [o.correlation_id for o in found] == [TRACE_ID, TRACE_ID, None, None, None, None]
    parent = (f"parent_span_id={TRACEPARENT.split('-')[2]}",)
    assert [o.attributes for o in found] == [parent, parent, (), (), (), ()]


def test_a_traceparent_is_read_as_the_standard_says() -> None:
    for good in (TRACEPARENT, f"01-{TRACE_ID}-b7ad6b7169203331-00-more"):
        assert trace_id_of(good) == TRACE_ID
        assert parent_of(good) == ("parent_span_id=b7ad6b7169203331",)
    for bad in (
        None,
        7,
        "",
        TRACEPARENT.upper(),
        f"ff-{TRACE_ID}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"{TRACEPARENT}-more",
        f"{TRACEPARENT}\n",
        TRACEPARENT[:-1],
    ):
        assert (trace_id_of(bad), parent_of(bad)) == (None, ()), bad


def spans(*arguments: str) -> list[list[Any]]:
    """Run a server with a tracer provider in a process of its own; return the spans per server."""
    output = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], check=True, capture_output=True, text=True
    ).stdout
    return json.loads(output)


@pytest.mark.requirement("spine:speed:stands-in")
@pytest.mark.parametrize("when", ["before", "after"])
def test_with_a_provider_the_spans_are_the_sdks_own(tmp_path: Path, when: str) -> None:
    bare, ours, kept = spans(str(tmp_path), when)

    assert len(bare) == 7
    assert ours == bare
    assert kept == bare


def test_with_a_provider_records_name_the_traces_of_the_spans(tmp_path: Path) -> None:
    spans(str(tmp_path), "after")
    found = operations(tmp_path / "ours", "tools/call")
    assert found[0].correlation_id == TRACE_ID
    others = [o.correlation_id for o in found[1:]]
    assert [len(other or "") for other in others] == [32] * len(others)
    assert len(set(others)) == len(others)


async def test_a_propagator_that_fails_is_the_sdks_affair(tmp_path: Path) -> None:
    class Broken(propagate.textmap.TextMapPropagator):
        fields = frozenset()  # type: ignore[assignment]

        def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
            raise OSError("propagator")

        def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
            pass

    async def failures(server: Server[Any]) -> list[str]:
        try:
            async with Client(server) as client:
                await client.call_tool("add", {"a": 1, "b": 2}, meta={"x": 1})
        except BaseExceptionGroup as group:
            return [repr(error) for error in _leaves(group)]
        return []

    before = propagate.get_global_textmap()
    try:
        propagate.set_global_textmap(Broken())
        wanted = await failures(low_toy())
        with recording(tmp_path) as monitor:
            found = await failures(instrument(low_toy(), monitor))
    finally:
        propagate.set_global_textmap(before)
    assert found == wanted
    assert wanted


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
