"""Counters never go back: over drains, compaction, retention and corrections."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.records import Record
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals, remember
from contextframe_monitoring.export.prometheus import PrometheusExposition
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.store.export_totals import KeptTotals, TotalsBook
from contextframe_monitoring.store.sampling import Sampling
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, ManualClock
from tests.export.metrics.families import plain
from tests.export.stores import NOW_US, Filled, cost, event, metric, operation, use

WHEN = st.sampled_from([NOW_US, NOW_US - DAY_US, NOW_US - 40 * DAY_US])
FLOATS = st.floats(-1e9, 1e9)
RECORDS = st.one_of(
    st.builds(
        operation,
        time_us=WHEN,
        target=st.sampled_from("abcde"),
        status=st.sampled_from(["success", "error"]),
        duration_ms=st.none() | st.floats(0, 1e7),
    ),
    st.builds(
        cost,
        time_us=WHEN,
        model=st.sampled_from("xyz"),
        amount_nano_usd=st.none() | st.integers(-(10**12), 10**15),
        output_tokens=st.none() | st.integers(-100, 10**9),
    ),
    st.builds(event, time_us=WHEN, numbers=st.dictionaries(st.sampled_from("pq"), FLOATS)),
    st.builds(
        metric,
        time_us=WHEN,
        name=st.sampled_from(["m", "n"]),
        kind=st.sampled_from(["counter", "gauge", "histogram"]),
        value=FLOATS,
    ),
    st.builds(use, time_us=WHEN, operation=st.sampled_from(["read", "update"])),
)
STEPS = st.lists(
    st.lists(RECORDS, min_size=1, max_size=6) | st.sampled_from(["drain", "compact"]),
    min_size=3,
    max_size=10,
)


def counters(exposition: PrometheusExposition) -> dict[Any, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_text(exposition.text())
        for sample in family.samples
        if family.type != "gauge"
    }


class Life:
    """A store that is written, drained and compacted while it is scraped."""

    def __init__(self, folder: Path, series_max: int = 1000, rate: float = 1.0) -> None:
        self.store = Store(str(folder / "store"))
        config = MonitoringConfig(store=self.store.uri, start_keeper=False)
        self.recorder = open_recorder(config)
        self.keeper = Keeper(
            self.store,
            ManualClock(NOW_US),
            retention_days=30,
            sampling=Sampling(rate=rate),
            before_expiry=lambda now_us: remember(
                self.store, Limits(series_max=series_max, sampled=rate < 1), now_us
            ),
        )

    def step(self, step: list[Record] | str) -> None:
        if isinstance(step, list):
            for record in step:
                assert self.recorder.record(record)
            return
        self.keeper.tick()
        if step == "compact":
            self.keeper.compact()

    def exporter(self, series_max: int = 1000, *, sampled: bool = False) -> PrometheusExposition:
        """What a new process exposes."""
        limits = Limits(series_max=series_max, sampled=sampled)
        totals = Totals(Store(self.store.uri), limits, kept=True)
        return PrometheusExposition(self.store, clock=ManualClock(NOW_US), totals=totals)

    def close(self) -> None:
        self.recorder.close()
        self.keeper.release()

    def exposition(self, series_max: int = 1000) -> PrometheusExposition:
        return PrometheusExposition(
            self.store, Limits(series_max=series_max), clock=ManualClock(NOW_US)
        )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS, st.sampled_from([4, 1000]))
def test_no_counter_ever_goes_back(steps: list[list[Record] | str], series_max: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder))
        exposition = life.exposition(series_max)
        before: dict[Any, float] = {}
        for step in steps:
            life.step(step)
            now = counters(exposition)
            assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}
            before = now
        life.recorder.close()
        life.keeper.release()


@pytest.mark.requirement("export:prometheus:monotonic")
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS, st.integers(1, 3))
def test_no_counter_ever_goes_back_over_restarts_and_retention(
    steps: list[list[Record] | str], restarts: int
) -> None:
    """Two exporters at once, each of which is another process every few looks."""
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder))
        expositions = [life.exporter(), life.exporter()]
        before: dict[Any, float] = {}
        for number, step in enumerate(steps):
            life.step(step)
            if number % restarts == 0:
                expositions[number % 2] = life.exporter()
            for exposition in expositions:
                text = exposition.text()
                lines = [line.rpartition(" ")[0] for line in text.splitlines()]
                assert len(set(lines)) == len(lines)
                now = counters(exposition)
                gone = {key: value for key, value in before.items() if now.get(key, -1) < value}
                assert gone == {}
                before = now
        life.close()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_beyond_the_bound_no_counter_goes_back_over_restarts(
    steps: list[list[Record] | str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), series_max=4)
        life.keeper.tick()  # before there is a state, nobody can remember who came first
        before: dict[Any, float] = {}
        for step in steps:
            life.step(step)
            now = counters(life.exporter(series_max=4))
            assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}
            before = now
        life.close()


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_no_counter_goes_back_where_operations_are_sampled(steps: list[list[Record] | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), rate=0.3)
        before: dict[Any, float] = {}
        for step in steps:
            life.step(step)
            now = counters(life.exporter(sampled=True))
            assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}
            before = now
        life.close()


def test_what_expired_is_counted_by_a_later_process(tmp_path: Path) -> None:
    life = Life(tmp_path)
    old = [operation(time_us=NOW_US - 40 * DAY_US, correlation_id="0" * 32), operation()]
    life.step([*old, event(), metric(kind="histogram", value=-2.5), metric(kind="counter")])
    life.step("drain")
    before = counters(life.exporter())
    life.step([operation(time_us=NOW_US - 50 * DAY_US)])
    life.step("compact")
    after = counters(life.exporter())
    changed = {
        key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key)
    }
    assert life.store.tables.count("performance_metrics") == 1
    calls = [key for key in changed if key[0] == "mcp_server_operation_duration_seconds_count"]
    assert [(after[key], changed[key]) for key in calls] == [(3, 1)]
    assert {key: value for key, value in before.items() if after[key] < value} == {}
    life.close()


def test_a_purge_lets_counters_begin_anew_also_in_living_exporters(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.step([operation(target="secret"), cost()])
    life.step("drain")
    living = Totals(life.store, Limits(), kept=True)
    since_us = NOW_US
    assert "secret" in str(living.families(since_us))
    life.keeper.purge(Selection(agent_id="claude"))
    minute_us = 60_000_000
    assert "secret" not in str(living.families(since_us + minute_us))
    assert "secret" not in str(Totals(life.store, Limits(), kept=True).families(since_us))
    assert living.since_us == since_us + minute_us
    life.close()


def test_kept_totals_of_another_form_are_left_alone(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.step([operation()])
    life.step("drain")
    engine = life.store.engine
    assert engine is not None
    book = TotalsBook(engine)
    assert book.begin(KeptTotals(since_us=7, batch=9, body=b"of tomorrow"))
    assert counters(life.exporter()) == counters(life.exposition())
    assert book.load() == KeptTotals(since_us=7, batch=9, body=b"of tomorrow")
    life.close()


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(RECORDS, min_size=1, max_size=6), min_size=1, max_size=4))
def test_totals_do_not_depend_on_when_they_were_looked_at(records: list[list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder))
        old = life.exposition()
        for step in records:
            life.step(step)
            counters(old)
            life.step("drain")
            counters(old)
        assert counters(life.exposition()) == counters(old)
        life.recorder.close()
        life.keeper.release()


def test_a_record_that_expires_between_two_looks_is_counted_once(tmp_path: Path) -> None:
    life = Life(tmp_path)
    exposition = life.exposition()
    life.step([operation(time_us=NOW_US - 40 * DAY_US), cost(), cost()])
    waiting = counters(exposition)
    life.step("compact")
    life.step([cost()])
    after = counters(exposition)
    changed = {key[0] for key in after if after[key] != waiting[key]}
    assert not [name for name in changed if "operation" in name]
    amount = next(key for key in after if key[0] == "contextframe_monitoring_cost_usd_total")
    assert (waiting[amount], after[amount]) == (0.12, 0.18)
    life.recorder.close()
    life.keeper.release()


def test_what_expires_stays_counted_while_the_process_lives(tmp_path: Path) -> None:
    life = Life(tmp_path)
    exposition = life.exposition()
    life.step([operation(time_us=NOW_US - 40 * DAY_US), operation()])
    life.step("drain")
    before = counters(exposition)
    life.step("compact")
    assert life.store.tables.count("performance_metrics") == 1
    assert counters(exposition) == before
    fresh = counters(life.exposition())
    assert fresh["contextframe_monitoring_stored_total",] == 2
    life.recorder.close()
    life.keeper.release()


def test_a_second_look_reads_only_what_is_new(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.drain(operation())
    seen = Totals(filled.store, Limits())
    first = plain(seen.families(NOW_US))
    asked: list[int] = []
    scan = filled.store.tables.scan

    def spy(*arguments: Any, batch_after: int = 0, **named: Any) -> Iterator[Any]:
        asked.append(batch_after)
        return scan(*arguments, batch_after=batch_after, **named)

    monkeypatch.setattr(filled.store.tables, "scan", spy)
    assert plain(seen.families(NOW_US)) == first
    assert asked == []
    filled.drain(operation())
    second = plain(seen.families(NOW_US))
    assert asked == [1, 1, 1]
    who = "server=git mcp.method.name=tools/call direction=in status=success"
    assert second["contextframe_monitoring.operations"] == {who: 2}


def test_a_look_that_fails_counts_nothing_twice(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.drain(operation(), cost())
    seen = Totals(filled.store, Limits())
    scan = filled.store.tables.scan

    def broken(name: str, *arguments: Any, **named: Any) -> Iterator[Any]:
        if name == "cost_metrics":
            raise StoreError("x", "y", "z")
        return scan(name, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(filled.store.tables, "scan", broken)
        with pytest.raises(StoreError):
            seen.families(NOW_US)
    assert plain(seen.families(NOW_US)) == plain(Totals(filled.store, Limits()).families(NOW_US))


def test_a_store_that_starts_anew_is_counted_anew(filled: Filled, tmp_path: Path) -> None:
    filled.drain(operation()).drain(operation())
    seen = Totals(filled.store, Limits(), subject="performance")
    assert seen.families(NOW_US)
    again = Filled(tmp_path / "other").drain(cost())
    seen._store = again.store
    assert seen.families(NOW_US) == []
