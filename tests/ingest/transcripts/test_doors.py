"""One fact, counted once, whatever number of doors it came through, in whatever order."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.marks import scope_group, session_group
from contextframe_monitoring.ingest.transcripts.usage_fact import OTLP, Door, UsageFact
from contextframe_monitoring.store.facts import create_tables
from tests.ingest.otlp.desk import calls
from tests.ingest.transcripts.desk import OPUS, price, totals

T = 1_770_000_000_000_000
TRANSCRIPT = UsageFact(
    key="anthropic/m/r",
    group="anthropic/m",
    source="claude-code",
    provider="anthropic",
    time_us=T,
    line_us=T,
    model=OPUS,
    input_tokens=2,
    cache_read_tokens=1000,
    cache_write_5m_tokens=60,
    cache_write_1h_tokens=40,
    output_tokens=10,
    message_id="m",
    request_id="r",
    session="s",
    project="p",
)
PARTIAL = msgspec.structs.replace(TRANSCRIPT, output_tokens=4)
REPLAY = msgspec.structs.replace(
    TRANSCRIPT, key="anthropic/m/r2", request_id="r2", is_sidechain=True
)
EVENT = msgspec.structs.replace(
    TRANSCRIPT,
    key="anthropic/request/r/event",
    group="anthropic/request/r",
    message_id=None,
    project=None,
    cache_write_5m_tokens=100,
    cache_write_1h_tokens=0,
    reported_nano_usd=7,
    door=Door.EVENT,
    service="claude-code",
    scope="com.anthropic.claude_code",
)
SPAN = msgspec.structs.replace(
    TRANSCRIPT,
    key="anthropic/m/span/1",
    source=OTLP,
    session=None,
    project=None,
    cache_write_5m_tokens=100,
    cache_write_1h_tokens=0,
    door=Door.SPAN,
    end_us=T + 1,
    trace="t",
    span="1",
    service="app",
    scope="sdk",
)
METRIC = msgspec.structs.replace(
    SPAN,
    key="otlp/metric/1",
    group=scope_group("app", "sdk", T),
    message_id=None,
    door=Door.METRIC,
    parts_known=False,
    end_us=T,
    trace=None,
    span=None,
)
SESSION_METRIC = msgspec.structs.replace(
    METRIC,
    key="claude/metric/1",
    group=session_group("s"),
    source="claude-code",
    session="s",
    service="claude-code",
    scope="com.anthropic.claude_code",
)
OTHER = msgspec.structs.replace(TRANSCRIPT, key="anthropic/n/q", group="anthropic/n",
                                message_id="n", request_id="q", session="z")  # fmt: skip
ALL = [TRANSCRIPT, PARTIAL, REPLAY, EVENT, SPAN, METRIC, SESSION_METRIC, OTHER]


def settle(order: list[UsageFact], cuts: set[int]) -> list[CostRecord]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    create_tables(engine)
    found: list[CostRecord] = []

    def record(one: CostRecord) -> bool:
        found.append(one)
        return True

    books = Books(engine, price=price, record=record, stored_facts=lambda _: {})
    edges = [0, *sorted(cuts), len(order)]
    for start, end in itertools.pairwise(edges):
        part: dict[str, UsageFact] = {}
        for fact in order[start:end]:
            if fact.key not in part or fact.output_tokens > part[fact.key].output_tokens:
                part[fact.key] = fact
        books.settle(list(part.values()), ())
    engine.dispose()
    return found


@given(
    order=st.permutations([*ALL, EVENT, SPAN, TRANSCRIPT]),
    cuts=st.sets(st.integers(1, len(ALL) + 2)),
)
@settings(max_examples=120, deadline=None)
def test_any_order_of_doors_gives_the_same_calls(order: list[UsageFact], cuts: set[int]) -> None:
    assert calls(settle(order, cuts)) == calls(settle(ALL, set()))


@pytest.mark.requirement("cost:once:doors")
@given(kept=st.sets(st.sampled_from(range(len(ALL))), min_size=1), cuts=st.sets(st.integers(1, 7)))
@settings(max_examples=80, deadline=None)
def test_whatever_doors_tell_of_a_call_it_counts_once(kept: set[int], cuts: set[int]) -> None:
    order = [ALL[index] for index in sorted(kept)]
    found = totals(settle(order, {cut for cut in cuts if cut < len(order)}))
    tells = [fact for fact in order if fact is not OTHER]
    is_better = any(fact.door <= Door.EVENT for fact in tells)
    expected = 0
    if any(fact.door <= Door.SPAN for fact in tells):
        expected += 1
    if METRIC in tells and SPAN not in tells:
        expected += 1
    if SESSION_METRIC in tells and not is_better:
        expected += 1
    if REPLAY in tells and EVENT in tells and not {0, 1, 4} & kept:
        expected += 1  # nothing tells that the event is of the message that was replayed
    assert found["calls"] == expected + (OTHER in order)


def test_an_event_that_came_first_is_the_witness_of_its_transcript() -> None:
    records = settle([EVENT, TRANSCRIPT], {1})
    rows = sorted((record.fact_id, record.attributes) for record in records)
    assert rows == [
        (TRANSCRIPT.key, ("project=p", "witness=event")),
        (EVENT.key, ()),  # stated when it came,
        (EVENT.key, ()),  # taken back when the transcript did
    ]
    assert totals(records)["calls"] == 1
