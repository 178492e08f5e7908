"""`maintain`, as a person uses it: alone, beside a running keeper, and when that one ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lance
import pytest

from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.maintenance import size_bytes
from contextframe_monitoring.store.requests import Requests
from contextframe_monitoring.store.schemas import RAW_TABLES, ROLLUP_1D, ROLLUP_SCHEMA
from contextframe_monitoring.store.store import Store
from tests.cli.command import run
from tests.processes import COMMAND, until
from tests.store.filled import recorded_into, store_in, stored_in
from tests.store.summed import assert_levels_are_raw

STEPS = [
    "drain",
    "fold",
    *(f"retention {name}" for name in RAW_TABLES),
    *(f"retention {level.table}" for level in LEVELS),
    *(f"compact {name}" for name in (*RAW_TABLES, *(level.table for level in LEVELS))),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


@contextmanager
def keeping(store: Store) -> Iterator[Keeper]:
    stop, keeper = threading.Event(), Keeper(Store(store.uri))

    def keep() -> None:
        while not stop.is_set():
            keeper.tick()
            stop.wait(0.01)
        keeper.release()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        until(lambda: keeper.leads)
        yield keeper
    finally:
        stop.set()
        thread.join()


@pytest.mark.requirement("time:maintain:command")
def test_a_store_that_nobody_keeps_is_looked_after_here_and_now(store: Store) -> None:
    recorded_into(store, 100)
    done = run("maintain", "--store", store.uri, "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["by"], found["steps"], found["bytes_before"]) == ("this process", STEPS, 0)
    assert found["bytes_after"] == size_bytes(store.tables)
    assert len(stored_in(store)) == 100
    assert store.folds is not None
    assert store.folds.watermarks() == {"15m": 1, "1h": 1, "1d": 1}


@pytest.mark.requirement("time:maintain:command")
def test_a_running_keeper_is_asked_and_its_steps_are_shown(store: Store) -> None:
    recorded_into(store, 50)
    with keeping(store) as keeper:
        until(lambda: len(stored_in(Store(store.uri))) == 50)
        done = run("maintain", "--store", store.uri, "--json")
        assert keeper.last_error is None
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["by"] == "the running keeper"
    assert set(found["steps"]) <= set(STEPS)


def test_rollups_are_made_anew_on_request(store: Store) -> None:
    recorded_into(store, 50)
    assert run("maintain", "--store", store.uri).returncode == 0
    store.tables.delete("rollup_1d", "subject = 'cost'")
    assert run("verify", "--store", store.uri).returncode == 1
    done = run("maintain", "--rebuild", "--store", store.uri)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["drain", "rebuild"]
    assert run("verify", "--store", store.uri).returncode == 0
    assert_levels_are_raw(store)


def test_the_place_of_a_keeper_that_ends_is_taken(store: Store) -> None:
    recorded_into(store, 50)
    keeper = Keeper(Store(store.uri))
    assert keeper.take()  # it holds the lock, and never ticks
    asked = subprocess.Popen(
        [*COMMAND, "maintain", "--store", store.uri, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: requested(store))
    keeper.release()
    said, _ = asked.communicate(timeout=60)
    assert (asked.returncode, json.loads(said)["steps"]) == (0, STEPS)
    assert verify(store).findings == []


def requested(store: Store) -> bool:
    engine = Store(store.uri).engine
    return engine is not None and Requests(engine).pending() is not None


def test_a_failure_is_told_whoever_failed(store: Store) -> None:
    recorded_into(store, 20)
    run("maintain", "--store", store.uri)
    with keeping(store):
        shutil.rmtree(store.tables.uri(ROLLUP_1D))
        newer = ROLLUP_SCHEMA.with_metadata({"contextframe_monitoring.format": "99"})
        lance.write_dataset(newer.empty_table(), store.tables.uri(ROLLUP_1D))
        done = run("maintain", "--store", store.uri)
    assert done.returncode == 1
    assert "table rollup_1d has format 99" in " ".join(done.stderr.split())
