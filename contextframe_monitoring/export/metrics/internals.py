"""The monitor itself as metrics: what it recorded, what is stored, what waits, what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from contextframe_monitoring.export.metrics.instruments import Family, FamilyKind, Point
from contextframe_monitoring.query.health import versions
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.segment import GAUGES, LOSS_REASONS
from contextframe_monitoring.store.store import Store

_PREFIX = "contextframe_monitoring."


class Internals:
    """What the spools and the ledger say. Its counters only grow while the process lives."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._recorded = self._stored = 0
        self._lost: dict[str, int] = {}
        self._version = versions()["contextframe-monitoring"]

    def families(self, store: Store, snapshot: Snapshot, now_us: int) -> Iterator[Family]:
        """Yield how the monitor does at one moment. Raises `StoreError`."""
        ledger = store.ledger
        self._stored = max(self._stored, _stored(store))
        self._recorded = max(self._recorded, _recorded(snapshot, ledger))
        for reason, count in _lost(snapshot, ledger).items():
            self._lost[reason] = max(self._lost.get(reason, 0), count)
        living = [view for view in snapshot.writers if view.alive and view.header is not None]
        gauges = [view.header.gauges for view in living if view.header is not None]
        yield _one("recorded", "counter", "Records taken from their callers", self._recorded)
        yield _one("stored", "counter", "Records that went into the tables", self._stored)
        yield _family("lost", "counter", "Records lost", "reason", self._lost)
        yield _one("undrained", "gauge", "Records in spools, not in tables", len(snapshot.waiting))
        yield _one("drain.lag", "gauge", "Age of the oldest undrained record",
                   _lag_seconds(snapshot, now_us), unit="s")  # fmt: skip
        yield _one("writers", "gauge", "Processes that record now", len(living))
        yield _one("active_operations", "gauge", "Operations in flight", _sum(gauges, "active"))
        yield _one("connections", "gauge", "Open connections", _sum(gauges, "connections"))
        yield _family("build.info", "gauge", "Version of the monitor", "version",
                      {self._version: 1})  # fmt: skip


def _recorded(snapshot: Snapshot, ledger: Ledger | None) -> int:
    """Return the sequence numbers that all writers ever took."""
    taken = dict(snapshot.drained)
    if ledger is not None:
        for known in ledger.known_writers():
            taken[known.writer] = max(taken.get(known.writer, 0), known.drained_seq)
    for view in snapshot.writers:
        taken[view.writer] = max(taken.get(view.writer, 0), view.last_seq)
    for item in snapshot.waiting:
        taken[item.writer] = max(taken.get(item.writer, 0), item.seq)
    return sum(taken.values())


def _stored(store: Store) -> int:
    """Return the rows that ever came into the tables: those there, and those taken out."""
    removals = store.removals
    expired = sum(removals.expired().values()) if removals is not None else 0
    return sum(store.tables.count(name) for name in RAW_TABLES) + expired


def _lost(snapshot: Snapshot, ledger: Ledger | None) -> dict[str, int]:
    """Return the records lost by reason, the newer word of ledger and segment header counting."""
    by_writer = ledger.losses() if ledger is not None else {}
    for view in snapshot.writers:
        if view.header is not None:
            known = by_writer.setdefault(view.writer, {})
            for reason, count in zip(LOSS_REASONS, view.header.losses, strict=True):
                known[reason] = max(known.get(reason, 0), count)
    total: Counter[str] = Counter(dict.fromkeys(LOSS_REASONS, 0))
    for counts in by_writer.values():
        total.update(counts)
    return dict(total)


def _lag_seconds(snapshot: Snapshot, now_us: int) -> float:
    oldest = min((item.record.time_us for item in snapshot.waiting), default=now_us)
    return max(now_us - oldest, 0) / 1e6


def _sum(gauges: list[tuple[int, ...]], name: str) -> int:
    return sum(values[GAUGES.index(name)] for values in gauges)


def _one(name: str, kind: FamilyKind, text: str, value: float, unit: str = "") -> Family:
    return Family(
        name=_PREFIX + name,
        kind=kind,
        unit=unit,
        text=text,
        points=(Point(labels={}, value=value),),
    )


def _family(
    name: str, kind: FamilyKind, text: str, label: str, values: Mapping[str, float]
) -> Family:
    points = tuple(Point(labels={label: key}, value=value) for key, value in values.items())
    return Family(name=_PREFIX + name, kind=kind, unit="", text=text, points=points)
