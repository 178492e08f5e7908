"""Purge: what a person wants gone is gone from every byte of the store, counted, and verify stays
true.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import CostRecord, OperationRecord, Origin, UsageRecord
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.compaction import LAG_US
from contextframe_monitoring.store.levels import LEVELS, Level
from contextframe_monitoring.store.purge import Purged
from contextframe_monitoring.store.schemas import ALERT_EVENTS, METRIC_TABLES, TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, NOW_US, ManualClock
from tests.store.summed import SUBJECTS, assert_levels_are_raw

MINUTE_US = 60_000_000
EARLIEST_US = (NOW_US - 40 * DAY_US) // MINUTE_US * MINUTE_US
GHOST, GHOST_SESSION = "ghost-agent-4711", "ghost-session-4711"


class Stopped(BaseException):
    """Stands for the death of the process."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))


def record(
    recorder: Recorder,
    count: int,
    agent: str | None = "bob",
    session: str | None = "s1",
    days_ago: float = 1,
) -> None:
    """Record `count` times three records, one for each table."""
    origin = Origin(agent_id=agent, session_id=session, server="srv")
    start = round(NOW_US - days_ago * DAY_US)
    for number in range(count):
        at = start + number * MINUTE_US // 4
        recorder.record(
            OperationRecord(
                time_us=at, operation_type="x", status="success", duration_ms=1.0, origin=origin
            )
        )
        recorder.record(
            CostRecord(
                time_us=at,
                cost_type="llm",
                provider="p",
                amount_nano_usd=3,
                provenance="computed",
                origin=origin,
            )
        )
        recorder.record(
            UsageRecord(
                time_us=at, metric_type="query", resource_id="r", operation="o", origin=origin
            )
        )


def purged(store: Store, selection: Selection) -> Purged:
    keeper = Keeper(store, ManualClock())
    assert keeper.take()
    try:
        return keeper.purge(selection)
    finally:
        keeper.release()


def proof(store: Store) -> tuple[int, int, bool]:
    found = verify(store)
    return found.stored, found.expired, found.complete


def holders(store: Store, *words: str) -> list[str]:
    """The files below a store that hold a word."""
    root = Path(store.uri)
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    )


def rolled_up(store: Store) -> int:
    """What the levels count: all the same."""
    snapshot = Snapshot(store)
    (total,) = {counted(snapshot, level) for level in LEVELS}
    return total


def counted(snapshot: Snapshot, level: Level) -> int:
    return sum(
        pc.sum(rows.column(0)).as_py() or 0
        for subject in SUBJECTS
        for rows in snapshot.rollups(level, subject, ["count"], None, None)
    )


@pytest.mark.requirement("doors:purge:erases", "doors:purge:verify")
def test_an_agent_goes_from_every_byte_of_the_store(store: Store, recorder: Recorder) -> None:
    record(recorder, 20, "bob")
    record(recorder, 20, GHOST, GHOST_SESSION)
    record(recorder, 5, None, None)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    record(recorder, 4, GHOST, GHOST_SESSION)
    keeper.tick()
    keeper.compact()
    keeper.release()
    record(recorder, 2, GHOST, GHOST_SESSION)
    assert holders(store, GHOST, GHOST_SESSION)
    found = purged(store, Selection(agent_id=GHOST))
    assert found.rows == {**dict.fromkeys(METRIC_TABLES, 26), ALERT_EVENTS: 0}
    assert found.waiting == 6
    assert found.frames_blotted == 78
    assert holders(store, GHOST, GHOST_SESSION) == []
    assert proof(store) == (75, 78, True)
    assert rolled_up(store) == 75


@pytest.mark.requirement("doors:purge:rollups")
def test_a_session_goes_and_its_hours_are_rolled_up_anew(store: Store, recorder: Recorder) -> None:
    record(recorder, 30, "bob", "s1")
    record(recorder, 30, "bob", GHOST_SESSION)
    record(recorder, 10, "bob", GHOST_SESSION, days_ago=3)
    found = purged(store, Selection(session_id=GHOST_SESSION))
    assert found.rows == {**dict.fromkeys(METRIC_TABLES, 40), ALERT_EVENTS: 0}
    assert (found.rollup_rows, found.rollup_hours, found.rollup_hours_kept) == (None, 2, 0)
    assert holders(store, GHOST_SESSION) == []
    assert proof(store) == (90, 120, True)
    assert rolled_up(store) == 90


@pytest.mark.requirement("doors:purge:rollups")
def test_rollups_beyond_the_retention_keep_what_a_session_added(
    store: Store, recorder: Recorder
) -> None:
    record(recorder, 5, "bob", "s1", days_ago=40)
    clock = ManualClock()
    keeper = Keeper(store, clock, retention_days=30)
    keeper.tick()
    clock.pass_ms(LAG_US / 1000)
    keeper.compact()
    keeper.release()
    record(recorder, 5, "bob", "s2", days_ago=41)  # late: its raw rows stand, those beside are gone
    record(recorder, 5, "bob", "s2")
    found = purged(store, Selection(session_id="s2"))
    assert (found.rollup_hours, found.rollup_hours_kept) == (1, 1)
    assert proof(store) == (0, 45, True)
    snapshot = Snapshot(store)
    assert [counted(snapshot, level) for level in LEVELS] == [15, 30, 30, 30]  # minutes: 14 days


def test_time_goes_from_rows_and_rollups(store: Store, recorder: Recorder) -> None:
    record(recorder, 20, days_ago=3)
    record(recorder, 20, days_ago=1)
    found = purged(store, Selection(before_us=NOW_US - 2 * DAY_US))
    assert found.rows == {**dict.fromkeys(METRIC_TABLES, 20), ALERT_EVENTS: 0}
    assert found.rollup_rows == 18
    assert proof(store) == (60, 60, True)
    assert rolled_up(store) == 60
    assert purged(store, Selection(before_us=NOW_US - 2 * DAY_US)).rows == dict.fromkeys(
        (*METRIC_TABLES, ALERT_EVENTS), 0
    )
    assert proof(store) == (60, 60, True)


def test_a_time_within_a_day_leaves_the_rest_of_the_day(store: Store, recorder: Recorder) -> None:
    record(recorder, 2_000, days_ago=1.2)  # over eight hours and across midnight
    for days_ago in (1.1, 1.0):
        purged(store, Selection(before_us=round(NOW_US - days_ago * DAY_US)))
        assert_levels_are_raw(store)
    purged(store, Selection(before_us=round(NOW_US - 0.95 * DAY_US), agent_id="bob"))
    assert_levels_are_raw(store)
    assert verify(store).complete


def test_a_minute_that_has_begun_is_spared(store: Store, recorder: Recorder) -> None:
    record(recorder, 4, days_ago=NOW_US % MINUTE_US / DAY_US)  # four in one minute
    found = purged(store, Selection(before_us=NOW_US + MINUTE_US // 6))
    assert (sum(found.rows.values()), found.rollup_rows) == (0, 0)
    assert proof(store) == (12, 0, True)


def test_parts_of_a_selection_must_all_be_met(store: Store, recorder: Recorder) -> None:
    record(recorder, 4, "bob", "s1", days_ago=3)
    record(recorder, 4, "bob", "s1", days_ago=1)
    record(recorder, 4, "eve", "s1", days_ago=3)
    purged(store, Selection(before_us=NOW_US - 2 * DAY_US, agent_id="bob"))
    assert proof(store) == (24, 12, True)
    purged(store, Selection(agent_id="eve", session_id="s1"))
    assert proof(store) == (12, 24, True)
    assert rolled_up(store) == 12


def test_all_goes_and_recording_goes_on(store: Store, recorder: Recorder) -> None:
    record(recorder, 10, GHOST, GHOST_SESSION)
    assert purged(store, Selection()).frames_blotted == 30
    assert holders(store, GHOST, GHOST_SESSION) == []
    assert [store.tables.count(name) for name in TABLES] == [0] * len(TABLES)
    record(recorder, 2)
    assert proof(store) == (0, 30, True)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    keeper.compact()
    assert proof(store) == (6, 30, True)


@pytest.mark.parametrize("name", ["it's", 'say "hi"', "a;--", "\\'", "ü\n\t", "'' OR true", "%"])
def test_a_name_is_data_whatever_it_looks_like(store: Store, recorder: Recorder, name: str) -> None:
    record(recorder, 2, name, name)
    record(recorder, 2, "bob", "s1")
    assert sum(purged(store, Selection(agent_id=name)).rows.values()) == 6
    assert proof(store) == (6, 6, True)
    record(recorder, 2, "bob", name)
    assert sum(purged(store, Selection(session_id=name)).rows.values()) == 6
    assert proof(store) == (6, 12, True)


STEPS = (
    "purge",
    "erased:usage_metrics",
    "erased:performance_metrics",
    "erased:cost_metrics",
    "erased:rollup_1m",
    "erased:rollup_15m",
    "erased:rollup_1h",
    "erased:rollup_1d",
    "versions",
    "closed",
    "spool",
    "quarantine",
)
SELECTIONS = {
    "agent": Selection(agent_id=GHOST),
    "session": Selection(session_id=GHOST_SESSION),
    "time": Selection(before_us=NOW_US - 2 * DAY_US),
    "all": Selection(),
}


CRASHES = [(kind, step) for step in STEPS for kind in ("agent", "session")]
CRASHES += [
    (kind, step) for step in ("erased:rollup_1m", "erased:rollup_1d") for kind in ("time", "all")
]


@pytest.mark.parametrize(("kind", "step"), CRASHES)
def test_a_purge_that_dies_counts_once_when_it_is_done_again(
    store: Store, recorder: Recorder, step: str, kind: str
) -> None:
    def die(at: str) -> None:
        if at == step:
            raise Stopped

    record(recorder, 5, GHOST, GHOST_SESSION, days_ago=3)
    record(recorder, 5, "bob", "s1", days_ago=1)
    first = Keeper(store, ManualClock(), die)
    first.take()
    with pytest.raises(Stopped):
        first.purge(SELECTIONS[kind])
    first.release()
    assert verify(store).complete
    purged(store, SELECTIONS[kind])
    left = 0 if kind == "all" else 15
    assert proof(store) == (left, 30 - left, True)
    assert rolled_up(store) == left
    assert holders(store, GHOST, GHOST_SESSION) == []


def test_a_keeper_finishes_a_purge_that_was_cut_off(store: Store, recorder: Recorder) -> None:
    def die(at: str) -> None:
        if at == "erased:usage_metrics":
            raise Stopped

    record(recorder, 5, GHOST, GHOST_SESSION)
    record(recorder, 5)
    first = Keeper(store, ManualClock(), die)
    first.take()
    with pytest.raises(Stopped):
        first.purge(Selection(agent_id=GHOST))
    first.release()
    second = Keeper(store, ManualClock())
    second.tick()
    assert proof(store) == (15, 15, True)
    assert store.removals is not None
    assert store.removals.unfinished() == []


def test_a_damaged_segment_goes_with_what_it_holds(store: Store) -> None:
    recorder = open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))
    record(recorder, 10, GHOST, GHOST_SESSION)
    recorder.close()
    (segment,) = Path(store.uri).glob("spool/writers/*/*.seg")
    data = bytearray(segment.read_bytes())
    at = data.index(GHOST.encode(), data.index(GHOST.encode()) + 1)
    data[at + 2] ^= 0xFF
    segment.write_bytes(data)
    assert purged(store, Selection(session_id="another")).quarantined_kept == 1
    before = verify(store)
    assert (before.stored, before.lost) == (29, {"damaged": 1})
    assert purged(store, Selection(agent_id=GHOST)).quarantined == 1
    assert holders(store, GHOST, GHOST_SESSION) == []
    after = verify(store)
    assert (after.stored, after.expired, after.lost) == (0, 29, {"damaged": 1})


Runs = list[tuple[str | None, str | None, int, int]]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    runs=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["s", "t", None]),
            st.integers(0, 40),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=5,
    ),
    purges=st.lists(
        st.builds(
            Selection,
            before_us=st.none() | st.integers(0, 40).map(lambda d: EARLIEST_US + d * DAY_US),
            agent_id=st.sampled_from(["a", "b", None]),
            session_id=st.sampled_from(["s", "t", None]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_whatever_is_purged_the_rest_stands_and_the_sums_agree(
    tmp_path_factory: pytest.TempPathFactory, runs: Runs, purges: list[Selection]
) -> None:
    store = Store(str(tmp_path_factory.mktemp("law") / "store"))
    recorder = open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))
    left = []
    for agent, session, days_ago, count in runs:
        record(recorder, count, agent, session, days_ago)
        start = round(NOW_US - days_ago * DAY_US)
        left += [(start + n * MINUTE_US // 4, agent, session) for n in range(count)]
    for selection in purges:
        purged(store, selection)
        left = [
            (at, agent, session)
            for at, agent, session in left
            if not (
                (selection.before_us is None or at < selection.before_us)
                and selection.agent_id in {None, agent}
                and selection.session_id in {None, session}
            )
        ]
    total = sum(run[3] for run in runs)
    assert proof(store) == (3 * len(left), 3 * (total - len(left)), True)
    assert_levels_are_raw(store)


def test_alerts_about_an_agent_go_with_it(store: Store) -> None:
    from contextframe_monitoring.core.alert import Alert
    from contextframe_monitoring.core.rule_step import Memory
    from contextframe_monitoring.store.alert_book import AlertBook, Entry, Place

    book = AlertBook(store.create())
    made = [
        Alert(
            alert_id=f"a-{name}", rule="Errors", signal="error_rate", group={"agent": name},
            severity="error", state="firing", message="m", threshold=0.1, actual=0.5,
            created_us=NOW_US, changed_us=NOW_US, revision=0,
        )
        for name in (GHOST, "bob")
    ]  # fmt: skip
    memories = {
        Place("Errors", (name,)): Memory(state="firing", since_us=NOW_US, alert_id=f"a-{name}")
        for name in (GHOST, "bob")
    }
    book.change((), lambda _: [Entry(alert, "fired") for alert in made], memories=memories)
    purged(store, Selection(agent_id=GHOST))
    assert [alert.group for alert in book.find()] == [{"agent": "bob"}]
    assert list(book.memories()) == [Place("Errors", ("bob",))]
    assert [record.groups for record in book.outbox()] == [("agent=bob",)]
    assert holders(store, GHOST, GHOST_SESSION) == []
