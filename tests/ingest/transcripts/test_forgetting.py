"""Facts of imported transcripts go with the records that a person wants gone."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.forgetting import forget
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import create_tables


def fact(key: str, session: str, time_us: int) -> UsageFact:
    return UsageFact(
        key=key,
        group=key,
        source="codex",
        provider="openai",
        time_us=time_us,
        line_us=time_us,
        model="m",
        input_tokens=1,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=1,
        session=session,
    )


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (Selection(session_id="s1"), 2),
        (Selection(session_id="s1", before_us=15), 1),
        (Selection(before_us=31), 3),
        (Selection(agent_id="codex"), 3),
        (Selection(agent_id="claude-code"), 0),
        (Selection(), 3),
    ],
)
def test_facts_go_as_their_records_do(selection: Selection, count: int) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    create_tables(engine)
    books = Books(
        engine, price=lambda _: (1, "p"), record=lambda _: True, stored_facts=lambda _: {}
    )
    books.settle([fact("a", "s1", 10), fact("b", "s1", 20), fact("c", "s2", 30)], [])
    assert forget(engine, selection) == count
    assert forget(engine, selection) == 0
    engine.dispose()
