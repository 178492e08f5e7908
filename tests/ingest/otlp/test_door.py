"""The door itself: what is answered with 200 is settled, what is cut off is carried through."""

from __future__ import annotations

from pathlib import Path

from contextframe_monitoring.core.records import Record
from contextframe_monitoring.ingest.otlp.door import Door
from contextframe_monitoring.ingest.transcripts.books import open_books
from contextframe_monitoring.store.facts import IMPORT_LOCK
from contextframe_monitoring.store.machine import FileLock
from tests.ingest.otlp.desk import Desk, desk, totals
from tests.ingest.otlp.payloads import JSON, encoded, span, traces

SPANS = [span(number, response=f"msg_{number}") for number in range(1, 6)]


def door_that_refuses(found: Desk, after: int) -> Door:
    """A door whose recorder takes `after` records and refuses the next one, once."""
    monitor = found.monitor
    left = [after]

    def record(one: Record) -> bool:
        left[0] -= 1
        return left[0] != -1 and monitor.recorder.record(one)

    return Door(
        lambda: open_books(monitor.store, monitor.cost.open_catalogue(), record),
        record,
        FileLock(monitor.store.spool_root / IMPORT_LOCK),
    )


def test_a_refused_record_is_a_503_and_the_repeated_request_counts_each_call_once(
    tmp_path: Path,
) -> None:
    body = encoded("traces", traces(*SPANS), JSON)
    for after in range(len(SPANS)):
        with desk(tmp_path / str(after)) as found:
            door = door_that_refuses(found, after)
            assert door.receive("traces", body, JSON).status == 503
            assert totals(found.costs)["calls"] == after
            assert door.receive("traces", body, JSON).status == 200
            assert totals(found.costs)["calls"] == len(SPANS)
            assert len({record.fact_id for record in found.costs}) == len(SPANS)


def test_another_door_finishes_what_was_cut_off(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as found:
        door = door_that_refuses(found, 2)
        assert door.receive("traces", encoded("traces", traces(*SPANS), JSON), JSON).status == 503
        found.take(("traces", traces(span(9, response="msg_9"))))
        assert totals(found.costs)["calls"] == len(SPANS) + 1


def test_a_state_that_breaks_is_a_503_that_names_it(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as found:
        found.take(("traces", traces(span())))
        store = found.monitor.store
        with store.create().begin() as connection:
            connection.exec_driver_sql("DROP TABLE import_facts")
        answer = found.send("traces", traces(span(2, response="msg_2")))
        assert (answer.status, b"no such table: import_facts" in answer.body) == (503, True)
        found.take(("traces", traces(span(2, response="msg_2"))))
