"""`UsageTracker`: documents, queries and decisions become records, without their texts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import EventRecord, Origin, Record, UsageRecord
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.ingest.usage import UsageTracker
from tests.clocks import NOW_US, ManualClock

Records = Callable[[], list[Record]]


@pytest.fixture
def usage(
    recorder: Recorder, origins: Origins, config: MonitoringConfig, clock: ManualClock
) -> UsageTracker:
    return UsageTracker(recorder, origins, config, clock)


@pytest.mark.requirement("002:usage:track-document-access", "002:usage:access-metadata")
async def test_an_access_becomes_a_record(usage: UsageTracker, records: Records) -> None:
    await usage.track_document_access(
        "doc-1?token=abc", "read", "agent-1", {"collection": "notes", "password": "x"}
    )
    assert records() == [
        UsageRecord(
            time_us=NOW_US,
            metric_type="document_access",
            resource_id="doc-1",
            operation="read",
            value=1.0,
            metadata='{"collection":"notes","password":"[masked]"}',
            category="notes",
            origin=Origin(
                server="app",
                agent_id="agent-1",
                agent_source="application",
                environment="test",
            ),
        )
    ]


@pytest.mark.requirement(
    "002:usage:track-query", "002:usage:query-text", "spine:privacy:query-shape"
)
def test_a_query_leaves_its_hash_and_shape_without_await(
    usage: UsageTracker, records: Records
) -> None:
    usage.track_query("SELECT 1 FROM patients WHERE name = 'John Doe'", "sql", 3, 45.5)
    [record] = records()
    assert isinstance(record, UsageRecord)
    assert record.metadata == '{"shape": "SELECT ? FROM patients WHERE name = ?"}'
    assert (record.operation, record.value, record.duration_ms) == ("sql", 3.0, 45.5)
    assert record.resource_id is not None
    assert "John" not in repr(record)


@pytest.mark.requirement("spine:events:track-event")
def test_an_event_carries_what_the_application_decided(
    usage: UsageTracker, records: Records
) -> None:
    usage.track_event(
        "tier_selected",
        "rule_based",
        "ok",
        12.5,
        {"quality": 0.9, "tokens": 30},
        {"specialty": "cardiology"},
        "op-1",
        at=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
    )
    assert records() == [
        EventRecord(
            time_us=1_795_132_800_000_000,
            name="tier_selected",
            category="rule_based",
            outcome="ok",
            duration_ms=12.5,
            numbers={"quality": 0.9, "tokens": 30.0},
            attributes=("specialty=cardiology",),
            operation_id="op-1",
            origin=Origin(server="app", environment="test"),
        )
    ]


@pytest.mark.requirement("003:dialogues:unicode")
def test_categories_are_any_text(usage: UsageTracker, records: Records) -> None:
    usage.track_event("dialogue", "红楼梦")
    usage.track_event("dialogue", "bad \ud800 \0")
    assert [r.category for r in records() if isinstance(r, EventRecord)] == [
        "红楼梦",
        "bad ? \ufffd",
    ]


@pytest.mark.requirement("002:usage:access-operations", "002:usage:query-types")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda u: u.track_document_access("d", "peek"),
            "operation = 'peek' is not allowed: expected one of read, search_hit, update, delete",
        ),
        (
            lambda u: u.track_query("q", "graph", 1, 1),
            "query_type = 'graph' is not allowed: expected one of vector, text, hybrid, sql",
        ),
        (
            lambda u: u.track_query("q", "text", -1, 1),
            "result_count = -1 is not allowed: expected 0 to 1000000000000000",
        ),
        (
            lambda u: u.track_query("q", "text", 1, float("nan")),
            "execution_time_ms = nan is not allowed: expected a finite number",
        ),
        (
            lambda u: u.track_event(""),
            "name = '' is not allowed: expected a string that is not empty",
        ),
    ],
)
def test_a_wrong_argument_is_refused_and_nothing_recorded(
    usage: UsageTracker, records: Records, call: Callable[[UsageTracker], object], message: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        call(usage)
    assert str(caught.value) == message
    assert records() == []


def test_users_are_hashed_when_asked(
    recorder: Recorder, clock: ManualClock, records: Records
) -> None:
    config = MonitoringConfig(hash_user_ids=True, hash_key="pepper")
    usage = UsageTracker(recorder, Origins(config), config, clock)
    usage.track_event("x", user_id="mary@example.org")
    usage.track_event("x", user_id="mary@example.org")
    first, second = (record.origin.user_id for record in records())
    assert first == second
    assert first is not None
    assert len(first) == 16


async def test_a_tracker_without_a_store_can_only_record(usage: UsageTracker) -> None:
    now = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    with pytest.raises(RuntimeError, match=r"not made by Monitor\.open"):
        await usage.get_usage_stats(now, now)
