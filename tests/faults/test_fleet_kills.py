"""Four writers, a keeper and a reader, any of which is killed at any moment, again and again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.faults.sizes import FLEET_KILLS, FLEET_RECORDS
from tests.faults.test_kills import REPOSITORY, Seqs, Writer
from tests.processes import COMMAND, until
from tests.store.filled import seen_by_a_reader, stored_in

pytestmark = pytest.mark.faults
WRITERS = 4
LOOKS = 5
"""How often everything acknowledged is looked for in between."""


class Fleet:
    """The processes of one store, and what its writers were told is safe."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.acknowledged: Seqs = Counter()
        self.looks = b""
        self.killed: Counter[str] = Counter()
        self.writers = [Writer(store, "mmap", 0) for _ in range(WRITERS)]
        self.keeper, self.reader = self._keep(), self._read()

    def _keep(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, "keep", "--store", self.store.uri],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _read(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.reading", self.store.uri],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )

    def record(self, count: int) -> None:
        """Wait until every writer has recorded so many more."""
        for writer in self.writers:
            self.acknowledged.update(writer.acknowledged(count))

    def kill(self, number: int) -> None:
        """Kill a writer (by number), the keeper or the reader, and start another one."""
        if number < WRITERS:
            self.acknowledged.update(self.writers[number].kill())
            self.writers[number] = Writer(self.store, "mmap", 0)
            self.killed["writer"] += 1
        elif number == WRITERS:
            _killed(self.keeper)
            self.keeper = self._keep()
            self.killed["keeper"] += 1
        else:
            self.looks += _killed(self.reader)
            self.reader = self._read()
            self.killed["reader"] += 1

    def end(self) -> None:
        """Kill everybody."""
        for writer in self.writers:
            self.acknowledged.update(writer.kill())
        _killed(self.keeper)
        self.looks += _killed(self.reader)


def _killed(process: subprocess.Popen[bytes]) -> bytes:
    process.kill()
    return process.communicate()[0] or b""


@pytest.mark.requirement("time:fault:fleet", "000:dod:load", "002:test:load")
def test_random_kills_among_writers_keeper_and_readers_lose_and_repeat_nothing(
    tmp_path: Path,
) -> None:
    store, rng = Store(str(tmp_path / "store")), random.Random(5)
    victims = [*range(WRITERS + 2)] * (FLEET_KILLS // (WRITERS + 2) + 1)
    rng.shuffle(victims)
    fleet = Fleet(store)
    until(lambda: store.ledger is not None)
    try:
        for number, victim in enumerate(victims[:FLEET_KILLS], 1):
            share = FLEET_RECORDS / FLEET_KILLS / WRITERS
            fleet.record(round(share * rng.uniform(0.9, 1.4)))
            fleet.kill(victim)
            if number % (FLEET_KILLS // LOOKS) == 0:
                known = set(fleet.acknowledged)
                assert known <= seen_by_a_reader(Snapshot(store)).keys()
    finally:
        fleet.end()
    Keeper(Store(store.uri)).tick()
    stored = stored_in(store)
    assert set(stored.values()) == set(fleet.acknowledged.values()) == {1}
    assert fleet.acknowledged.keys() <= stored.keys()
    assert len(fleet.acknowledged) >= FLEET_RECORDS
    assert len(stored) - len(fleet.acknowledged) <= 2 * (FLEET_KILLS + WRITERS)
    assert b"!" not in fleet.looks
    report = verify(store)
    assert (report.findings, report.stored, report.duplicates) == ([], len(stored), 0)
    print(f"\n{len(fleet.acknowledged):,} acknowledged, {dict(fleet.killed)} killed,", end=" ")
    print(f"{len(fleet.looks)} looks")
