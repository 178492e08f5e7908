"""`purge`, as a person uses it: counted first, asked for, and `verify` afterwards."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from contextframe_monitoring.cli import purging
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.keeper import Keeper, drain_once
from contextframe_monitoring.store.store import Store
from tests.cli.command import run
from tests.clocks import DAY_US

T0_US = 1_750_000_020_000_000
"""A whole minute in June 2025."""


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Three operations each of two agents, two days apart, the last of each not drained yet."""
    uri = str(tmp_path / "store")
    recorder = open_recorder(MonitoringConfig(store=uri, start_keeper=False))
    for agent in ("ann", "bob"):
        for number in range(3):
            recorder.record(
                OperationRecord(
                    time_us=T0_US + number * 2 * DAY_US,
                    operation_type="x",
                    status="success",
                    duration_ms=1.0,
                    origin=Origin(agent_id=agent, session_id=f"{agent}-{number}"),
                )
            )
    recorder.close()
    return uri


def rows(text: str) -> int:
    return json.loads(text)["rows"]["performance_metrics"]


def counts(store: str) -> tuple[bool, int, int]:
    done = run("verify", "--store", store, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (not found["complete"])
    return found["complete"], found["stored"] + found["waiting"], found["expired"]


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        (["--before", "2025-06-16"], 2),
        (["--before", "2025-06-16", "--agent", "ann"], 1),
        (["--before", "1d"], 6),
        (["--agent", "ann"], 3),
        (["--session", "bob-1"], 1),
        (["--agent", "nobody"], 0),
        (["--all"], 6),
    ],
)
@pytest.mark.requirement("doors:purge:selects", "doors:purge:verify")
def test_what_is_named_is_erased_and_verify_stays_true(
    store: str, arguments: list[str], gone: int
) -> None:
    drain_once(Store(store))
    counted = run("purge", *arguments, "--store", store, "--dry-run", "--json")
    assert (counted.returncode, rows(counted.stdout)) == (0, gone)
    assert counts(store) == (True, 6, 0)
    done = run("purge", *arguments, "--store", store, "--yes", "--json")
    assert (done.returncode, rows(done.stdout)) == (0, gone)
    assert counts(store) == (True, 6 - gone, gone)


def test_it_counts_what_waits_in_the_spool_and_erases_it(store: str) -> None:
    counted = json.loads(
        run("purge", "--agent", "ann", "--store", store, "--dry-run", "--json").stdout
    )
    assert (counted["rows"]["performance_metrics"], counted["waiting"]) == (0, 3)
    assert run("purge", "--agent", "ann", "--store", store, "--yes").returncode == 0
    assert counts(store) == (True, 3, 3)


def test_it_asks_and_does_nothing_when_the_answer_is_no(store: str) -> None:
    drain_once(Store(store))
    done = run("purge", "--session", "ann-0", "--store", store, stdin="n\n")
    assert done.returncode == 1
    assert done.stdout == (
        "would take out records of session ann-0: 1 rows"
        " (0 of usage_metrics, 1 of performance_metrics, 0 of cost_metrics, "
        "0 of alert_events)\n"
        "- the rollups of 1 hour(s) are made anew\n"
        f"Erase this from {store} for good? [y/N]: n\n"
        "nothing was changed\n"
    )
    assert counts(store) == (True, 6, 0)
    assert run("purge", "--session", "ann-0", "--store", store, stdin="y\n").returncode == 0
    assert counts(store) == (True, 5, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name it with --before WHEN, --agent ID, --session ID or --all"),
        (["--all", "--agent", "a"], "it stands alone"),
        (["--agent", ""], "--agent = '' is not allowed"),
        (["--before", "yesteryear"], "--before = 'yesteryear' is not allowed: expected a span"),
        (["--before", "2999-01-01"], "--before = '2999-01-01' is not allowed: it is in the future"),
        (["--all", "--json"], "add --yes or --dry-run"),
    ],
)
def test_a_purge_that_is_unclear_is_refused(store: str, arguments: list[str], says: str) -> None:
    done = run("purge", *arguments, "--store", store)
    assert done.returncode == 2
    assert says in done.stderr
    assert counts(store) == (True, 6, 0)


def test_it_names_the_keeper_that_holds_the_store(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "WAIT_SECONDS", 0.0)
    keeper = Keeper(Store(store))
    keeper.tick()
    done = run("purge", "--all", "--store", store, "--yes")
    keeper.release()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"contextframe-monitoring: store {store!r} can't be used: process {os.getpid()} on"
        f" {platform.node()} keeps it; end that one and purge again"
    )
    assert counts(store) == (True, 6, 0)


def test_a_store_that_was_never_drained_is_no_error(tmp_path: Path) -> None:
    assert run("purge", "--all", "--store", str(tmp_path / "new"), "--dry-run").returncode == 0
    assert run("purge", "--all", "--store", str(tmp_path / "new"), "--yes").returncode == 0
