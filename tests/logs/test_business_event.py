"""Business events: one block, one event with its duration, one line with the same id."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import Monitor, correlation
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import EventRecord
from tests.clocks import ManualClock
from tests.logs.lines import lines_of, logging_monitor
from tests.support import recorded


@pytest.mark.requirement("004:log:business-events", "004:log:timings")
@pytest.mark.requirement("export:logs:event")
def test_a_block_is_recorded_and_logged_with_its_duration_and_outcome(tmp_path: Path) -> None:
    clock = ManualClock()
    given: Any = {"category": "auto", "attributes": {"region": "eu"}, "user_id": "u"}
    with (
        logging_monitor(tmp_path, clock=clock) as monitor,
        correlation("job-1"),
        monitor.business_event("payment_plan.validated", **given) as event,
    ):
        clock.pass_ms(12.5)
        event.outcome = "approved"
        event.numbers["amount"] = 40.0
    [record] = recorded(tmp_path / "store")
    assert isinstance(record, EventRecord)
    found = (
        record.name, record.category, record.outcome, record.duration_ms, record.numbers,
        record.attributes, record.correlation_id, record.origin.user_id,
    )  # fmt: skip
    assert found == (
        "payment_plan.validated", "auto", "approved", 12.5, {"amount": 40.0}, ("region=eu",),
        "job-1", "u",
    )  # fmt: skip
    [line] = lines_of(tmp_path)
    assert (line["level"], line["message"], line["correlation_id"], line["context"]) == (
        "info",
        "payment_plan.validated",
        "job-1",
        {
            "outcome": "approved", "duration_ms": 12.5, "category": "auto",
            "numbers": {"amount": 40.0}, "attributes": {"region": "eu"},
        },
    )  # fmt: skip


async def placed(monitor: Monitor, error: BaseException | None, **numbers: Any) -> None:
    async with monitor.business_event("order.placed", user_impact="no order") as event:
        event.numbers.update(numbers)
        if error is not None:
            raise error


@pytest.mark.requirement("004:log:error-detail")
async def test_a_block_that_fails_goes_on_failing_and_says_what_it_means_to_users(
    tmp_path: Path,
) -> None:
    with logging_monitor(tmp_path) as monitor:
        with pytest.raises(ZeroDivisionError):
            await placed(monitor, ZeroDivisionError(), items="many")
        with pytest.raises(asyncio.CancelledError):
            await placed(monitor, asyncio.CancelledError())
        with pytest.raises(InvalidError, match="numbers"):
            await placed(monitor, None, items="many")
    failed, cancelled, _ = lines_of(tmp_path)
    assert failed["error"]["type"] == "ZeroDivisionError"
    assert (failed["level"], failed["context"]["user_impact"]) == ("error", "no order")
    assert (cancelled["level"], cancelled["context"]["outcome"]) == ("info", "cancelled")
    assert [record.outcome for record in recorded(tmp_path / "store")] == ["cancelled"]


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor, pytest.raises(InvalidError, match="name"):
        monitor.business_event(7)  # type: ignore[arg-type]
