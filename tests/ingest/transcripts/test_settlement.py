"""Corrections: what is recorded when a fact appears, grows, changes or turns out to be none."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.records import CostRecord, Origin
from contextframe_monitoring.ingest.transcripts.settlement import (
    bill,
    calls_of,
    corrections,
    revision_of,
    settled,
)
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import FactRow
from tests.ingest.transcripts.desk import OPUS, by_dimensions, price, totals

FIRST = UsageFact(
    key="anthropic/m/r",
    group="anthropic/m",
    source="claude-code",
    provider="anthropic",
    time_us=1_770_000_000_000_000,
    line_us=1_770_000_000_000_000,
    model=OPUS,
    input_tokens=2,
    cache_read_tokens=1000,
    cache_write_5m_tokens=60,
    cache_write_1h_tokens=40,
    output_tokens=10,
    service_tier="standard",
    request_id="r",
    session="s",
    project="p",
    tools=("Bash",),
)
GROWN = msgspec.structs.replace(FIRST, output_tokens=25, line_us=FIRST.line_us + 5)
REPLAY = msgspec.structs.replace(FIRST, key="anthropic/m/r2", is_sidechain=True)


def steps(*seen: UsageFact, prices=price) -> tuple[list[FactRow], list[CostRecord]]:
    """Settle facts one after the other; return the rows and all records."""
    rows: dict[str, FactRow] = {}
    records: list[CostRecord] = []
    for fact in seen:
        changed, new = settled(rows.values(), [fact], prices)
        rows |= {row.key: row for row in changed}
        records += new
    return list(rows.values()), records


def test_a_new_fact_is_one_whole_record() -> None:
    rows, records = steps(FIRST)
    nano = 2 * 5000 + 1000 * 500 + 60 * 6250 + 40 * 10_000 + 10 * 25_000
    assert records == [
        CostRecord(
            time_us=FIRST.time_us,
            cost_type="llm",
            provider="anthropic",
            amount_nano_usd=nano,
            provenance="computed",
            model=OPUS,
            operation_id="r",
            operation="completion",
            units=1112,
            input_tokens=2,
            cache_read_tokens=1000,
            cache_write_5m_tokens=60,
            cache_write_1h_tokens=40,
            output_tokens=10,
            price_id=f"test/{OPUS}",
            source="claude-code",
            fact_id="anthropic/m/r",
            origin=Origin(agent_id="claude-code", agent_source="client", session_id="s"),
            metadata='{"revision":1,"service_tier":"standard"}',
            attributes=("project=p", "tool=Bash"),
        )
    ]
    assert rows == [
        FactRow(
            key="anthropic/m/r",
            group="anthropic/m",
            time_us=FIRST.time_us,
            revision=1,
            counted=True,
            amount_nano_usd=nano,
            price_id=f"test/{OPUS}",
            body=msgspec.msgpack.encode(FIRST),
        )
    ]


def test_a_fact_that_grew_is_one_record_of_the_differences() -> None:
    _, (first, more) = steps(FIRST, GROWN)
    assert more == msgspec.structs.replace(
        first,
        amount_nano_usd=15 * 25_000,
        units=15,
        input_tokens=0,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=15,
        metadata='{"revision":2,"calls":0,"service_tier":"standard"}',
    )


def test_a_fact_that_is_seen_again_or_smaller_is_no_record() -> None:
    rows, records = steps(GROWN, GROWN, FIRST, GROWN)
    assert (len(records), rows[0].revision) == (1, 1)


def test_a_fact_that_changes_its_session_is_taken_back_and_stated_anew() -> None:
    copy = msgspec.structs.replace(FIRST, session="copy", is_sidechain=True, output_tokens=99)
    _, records = steps(copy, FIRST)
    assert [
        (calls_of(record.metadata), record.origin.session_id, record.output_tokens)
        for record in records
    ] == [
        (1, "copy", 99),
        (-1, "copy", -99),
        (1, "s", 10),
    ]
    assert [revision_of(record.metadata) for record in records] == [1, 2, 3]
    assert by_dimensions(records) == by_dimensions(records[2:])


def test_a_replay_that_came_first_is_taken_back_when_its_parent_appears() -> None:
    rows, records = steps(REPLAY, FIRST)
    assert [(record.fact_id, calls_of(record.metadata)) for record in records] == [
        ("anthropic/m/r2", 1),
        ("anthropic/m/r2", -1),
        ("anthropic/m/r", 1),
    ]
    assert {row.key: row.counted for row in rows} == {
        "anthropic/m/r2": False,
        "anthropic/m/r": True,
    }
    assert totals(records) == totals(records[2:])


def test_a_cost_that_becomes_known_replaces_the_unknown_one() -> None:
    unpriced: dict[str, int] = {}
    rows, (unknown,) = steps(FIRST, prices=lambda _: (unpriced.get("x"), None))
    assert (unknown.amount_nano_usd, unknown.provenance, calls_of(unknown.metadata)) == (
        None,
        None,
        1,
    )
    _, (back, known) = settled(rows, [], price, all_anew=True)
    assert (back.amount_nano_usd, back.provenance, calls_of(back.metadata)) == (None, None, -1)
    assert (known.amount_nano_usd, calls_of(known.metadata)) == (price(FIRST)[0], 1)


def test_a_price_that_changes_gives_the_difference_in_cost_alone() -> None:
    rows, _ = steps(FIRST)
    _, (delta,) = settled(rows, [], lambda fact: (price(fact)[0] - 7, "new"), all_anew=True)
    assert (delta.amount_nano_usd, calls_of(delta.metadata), delta.output_tokens) == (-7, 0, 0)
    assert delta.price_id == "new"


def test_facts_that_did_not_change_are_not_priced_again_unless_asked() -> None:
    rows, _ = steps(FIRST)
    asked: list[str] = []

    def counting(fact: UsageFact) -> tuple[int | None, str | None]:
        asked.append(fact.key)
        return price(fact)

    assert settled(rows, [FIRST], counting) == ([], [])
    assert settled(rows, [], counting, all_anew=True) == ([], [])
    assert asked == ["anthropic/m/r"]


def test_a_reported_cost_is_never_priced() -> None:
    told = msgspec.structs.replace(FIRST, reported_nano_usd=5)
    _, (record,) = steps(told, prices=lambda _: 1 / 0)
    assert (record.amount_nano_usd, record.reported_nano_usd, record.provenance) == (
        5,
        5,
        "reported",
    )


def test_metadata_holds_what_has_no_column() -> None:
    fast = msgspec.structs.replace(FIRST, speed="fast", web_searches=2, service_tier=None)
    _, (record,) = steps(fast)
    assert json.loads(record.metadata) == {"revision": 1, "speed": "fast", "web_searches": 2}
    assert (revision_of(None), revision_of("{}"), revision_of('{"a":1}')) == (0, 0, 0)
    assert (calls_of(None), calls_of("{}"), calls_of('{"calls":-1}')) == (1, 1, -1)


BILLS = st.builds(
    bill,
    st.sampled_from(
        [FIRST, GROWN, msgspec.structs.replace(FIRST, session="t", reasoning_tokens=3)]
    ),
    st.sampled_from([None, 0, 5]),
    st.sampled_from([None, "a"]),
)


@given(st.lists(st.none() | BILLS, min_size=1, max_size=6))
def test_corrections_always_add_up_to_the_last_state(states) -> None:
    records: list[CostRecord] = []
    before = None
    for after in states:
        records += corrections(before, after)
        before = after

    assert by_dimensions(records) == by_dimensions([before] if before is not None else [])
