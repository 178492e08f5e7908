"""Ids that are bound to the context: where they come from, where they go along."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring import carried, correlation, correlation_id
from contextframe_monitoring.core.correlation import (
    Correlation,
    accepted_id,
    bound_to,
    correlated,
    current,
    id_from,
    outgoing,
)
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import EventRecord

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
SPAN_ID = "b7ad6b7169203331"


def test_a_block_binds_and_lets_go_and_one_within_inherits() -> None:
    assert correlation_id() is None
    with correlation("job-1", tenant_id="t", workflow_id="w") as outer:
        with correlation(conversation_id="c") as inner:
            assert inner == Correlation(
                correlation_id="job-1", tenant_id="t", conversation_id="c", workflow_id="w"
            )
        with correlation("job-2"):
            assert current() == Correlation(correlation_id="job-2", tenant_id="t", workflow_id="w")
        assert current() is outer
    assert current() is None


@pytest.mark.requirement("004:log:uuid-per-request")
def test_without_an_id_each_block_gets_one_of_its_own_that_is_a_trace_id_too() -> None:
    with correlation() as first:
        pass
    with correlation() as second:
        made = second.correlation_id
        assert made is not None
        assert outgoing(SPAN_ID) == {
            "X-Correlation-ID": made, "traceparent": f"00-{made}-{SPAN_ID}-01",
        }  # fmt: skip
    assert first.correlation_id != second.correlation_id


@pytest.mark.requirement("004:test:correlation")
@pytest.mark.requirement("export:logs:propagated")
async def test_the_id_goes_into_tasks_and_threads_and_by_carried_into_bare_ones() -> None:
    seen: dict[str, str | None] = {}

    async def note(name: str) -> None:
        await anyio.lowlevel.checkpoint()
        seen[name] = correlation_id()

    with correlation("job-1"):
        async with anyio.create_task_group() as group:
            group.start_soon(note, "task")
        seen["to_thread"] = await anyio.to_thread.run_sync(correlation_id)
        with ThreadPoolExecutor(1) as pool:
            seen["executor"] = pool.submit(correlation_id).result()
            seen["carried"] = pool.submit(carried(correlation_id)).result()
        thread = threading.Thread(target=carried(lambda: seen.update(bare=correlation_id())))
    thread.start()
    thread.join()
    assert seen == {
        "task": "job-1", "to_thread": "job-1", "executor": None, "carried": "job-1",
        "bare": "job-1",
    }  # fmt: skip


async def test_requests_side_by_side_never_see_each_others_id() -> None:
    seen: list[tuple[str, str | None]] = []

    async def handle(name: str) -> None:
        with correlation(name):
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
                seen.append((name, correlation_id()))

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(handle, f"job-{number}")
    assert len(seen) == 15
    assert all(name == bound for name, bound in seen)


@pytest.mark.requirement("export:logs:origin")
def test_trace_context_wins_over_the_header_and_what_is_not_allowed_is_nothing() -> None:
    assert id_from(TRACEPARENT, "mine") == TRACE_ID
    assert id_from("00-bad", "mine") == "mine"
    assert id_from(None, None) is None
    for bad in ("", " ", "a b", "-x", "a\nb", "ü", "x" * 129, "\0", 7, None, b"x", "a;b"):
        assert accepted_id(bad) is None
    assert accepted_id("x" * 128) == "x" * 128


@given(st.text())
def test_an_id_that_is_accepted_is_safe_in_a_header_and_a_line(text: str) -> None:
    found = accepted_id(text)
    assert found is None or (found.isascii() and found.isprintable() and " " not in found)


@pytest.mark.parametrize("bad", ["a b", "x" * 129, "", 7])
def test_an_application_that_binds_what_is_not_allowed_is_told(bad: object) -> None:
    given: Any = bad
    with pytest.raises(InvalidError, match="correlation_id"), correlation(given):
        pass


def test_a_record_takes_the_bound_id_unless_it_has_its_own() -> None:
    mine, none = (EventRecord(time_us=1, name="x", correlation_id=i) for i in ("mine", None))
    with bound_to(Correlation(correlation_id="bound")):
        assert [correlated(r).correlation_id for r in (mine, none)] == ["mine", "bound"]
    with bound_to(Correlation(tenant_id="t")):
        assert correlated(none) is none
    with correlation("outer"), bound_to(None):
        assert correlated(none) is none
        assert outgoing(SPAN_ID) == {}


def test_an_id_that_is_no_trace_id_goes_out_in_the_header_alone() -> None:
    for name in ("job-1", "0" * 32, TRACE_ID.upper()):
        with correlation(name):
            assert outgoing(SPAN_ID) == {"X-Correlation-ID": name}
