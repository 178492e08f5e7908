"""The ledger: what it says of batches and writers is of one moment, and never goes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.store.ledger import KeeperState, Ledger, Slice, WriterState
from contextframe_monitoring.store.state import open_state


def opened(folder: Path) -> Ledger:
    engine = open_state(folder, create=True)
    assert engine is not None
    return Ledger(engine)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened(tmp_path)


def part(writer: str, first: int, last: int) -> Slice:
    return Slice(writer=writer, first_seq=first, last_seq=last, frames=last - first + 1)


def drain(ledger: Ledger, *parts: Slice, now_us: int = 1) -> int:
    ledger.meet([WriterState(writer=p.writer) for p in parts])
    batch = ledger.open_batch(parts, now_us)
    ledger.close_batch(batch, parts, now_us)
    return batch


def test_batches_are_numbered_from_one_and_move_their_writers_forward(ledger: Ledger) -> None:
    assert (ledger.position(), ledger.last_batch(), ledger.unfinished()) == ((0, {}), 0, None)
    assert drain(ledger, part("a", 1, 5), part("b", 1, 2)) == 1
    assert drain(ledger, part("a", 6, 9)) == 2
    assert ledger.position() == (2, {"a": 9, "b": 2})
    assert ledger.position(["a", "unknown"]) == (2, {"a": 9})
    assert ledger.position([]) == (2, {})


def test_an_open_batch_is_known_to_who_comes_next_but_not_done(ledger: Ledger) -> None:
    drain(ledger, part("a", 1, 5))
    slices = [part("a", 6, 9), part("b", 1, 2)]
    ledger.open_batch(slices, 7)
    assert (ledger.position(), ledger.last_batch()) == ((1, {"a": 5}), 2)
    assert ledger.unfinished() == (2, slices)


def test_a_drained_number_never_goes_back(ledger: Ledger) -> None:
    drain(ledger, part("a", 1, 9))
    drain(ledger, part("a", 3, 4))
    ledger.part_with({"a": 7})
    assert ledger.position() == (2, {"a": 9})


def test_a_position_is_one_moment_whatever_is_closed_while_it_is_read(tmp_path: Path) -> None:
    """A batch that is closed between two statements of a reader would be seen by none of them."""
    keeper, reader = opened(tmp_path), opened(tmp_path)
    drain(keeper, part("a", 1, 5))
    statements: list[str] = []

    @sa.event.listens_for(reader._engine, "after_cursor_execute")
    def drain_in_between(_c: Any, _k: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)
        last = keeper.position()[1]["a"]
        drain(keeper, part("a", last + 1, last + 5))

    for _ in range(3):
        done, drained = reader.position()
        assert drained == {"a": 5 * done}
    assert len(statements) >= 3


def test_a_writer_is_met_once_and_parted_with(ledger: Ledger) -> None:
    first = WriterState(writer="a", label="me", pid=7, created_us=3)
    ledger.meet([first])
    ledger.meet([WriterState(writer="a", label="another"), WriterState(writer="b", created_us=9)])
    assert ledger.known_writers() == [first, WriterState(writer="b", created_us=9)]
    ledger.part_with({"a": 12, "unknown": 3})
    (gone, _) = ledger.known_writers()
    assert gone == WriterState(
        writer="a", label="me", pid=7, created_us=3, ended=True, drained_seq=12
    )


def test_more_writers_than_can_be_named_are_met_and_positioned_all_the_same(
    ledger: Ledger,
) -> None:
    names = [f"writer {number}" for number in range(1500)]
    ledger.meet([WriterState(writer=name) for name in names])
    ledger.meet([WriterState(writer=name) for name in names])
    assert ledger.position(names) == (0, dict.fromkeys(names, 0))
    ledger.part_with(dict.fromkeys(names, 4))
    assert ledger.position(names[:3]) == (0, dict.fromkeys(names[:3], 4))


def test_what_the_tables_hold_is_taken_over_by_a_new_ledger(ledger: Ledger) -> None:
    ledger.adopt(17, {"a": 40}, 5)
    assert (ledger.position(), ledger.last_batch()) == ((17, {"a": 40}), 17)
    assert drain(ledger, part("a", 41, 42)) == 18


def test_what_an_older_copy_left_open_is_done_when_the_tables_are_further(ledger: Ledger) -> None:
    drain(ledger, part("a", 1, 5))
    ledger.open_batch([part("a", 6, 9)], 1)
    ledger.adopt(9, {"a": 30}, 5)
    assert (ledger.position(), ledger.unfinished()) == ((9, {"a": 30}), None)


def test_losses_are_kept_by_writer_and_reason(ledger: Ledger) -> None:
    ledger.note_losses({"a": {"disk_full": 2, "invalid": 1}, "b": {"closed": 1}})
    ledger.note_losses({"a": {"disk_full": 5}})
    assert ledger.losses() == {"a": {"disk_full": 5, "invalid": 1}, "b": {"closed": 1}}


def test_a_segment_is_noted_once(ledger: Ledger) -> None:
    ledger.note_quarantine("a-1.seg", "a", "1 damaged place(s)", 5)
    ledger.note_quarantine("a-1.seg", "a", "another problem", 6)
    ledger.note_quarantine("b-1.seg", "b", "it is truncated", 4)
    assert ledger.quarantine() == [
        ("b-1.seg", "b", "it is truncated"),
        ("a-1.seg", "a", "1 damaged place(s)"),
    ]


def test_one_keeper_is_remembered_for_each_host(ledger: Ledger) -> None:
    first = KeeperState(host="h1", pid=1, since_us=1, drained_us=2, last_error=None)
    later = KeeperState(host="h1", pid=2, since_us=3, drained_us=4, last_error="disk full")
    other = KeeperState(host="h2", pid=3, since_us=5, drained_us=6, last_error=None)
    for state in (first, other, later):
        ledger.note_keeper(state)
    assert sorted(ledger.keepers(), key=lambda k: k.host) == [later, other]


def test_old_batches_are_forgotten_but_never_the_last_nor_an_open_one(ledger: Ledger) -> None:
    for number in range(3):
        drain(ledger, part("a", number + 1, number + 1), now_us=number)
    ledger.open_batch([part("a", 4, 4)], 4)
    ledger.forget_batches(2 + US_PER_DAY)
    assert ledger.position() == (3, {"a": 3})
    assert ledger.unfinished() == (4, [part("a", 4, 4)])
    ledger.forget_batches(365 * US_PER_DAY)  # a clock that jumped a year
    assert ledger.position() == (3, {"a": 3})
    assert ledger.unfinished() == (4, [part("a", 4, 4)])
    assert drain(ledger, part("a", 5, 5)) == 5
