"""The status of the monitor itself: who writes, who keeps, what waits, what was lost."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from collections import Counter

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import UNMATCHED_EVENT
from contextframe_monitoring.core.status import (
    Finding,
    KeeperStatus,
    OwnWriter,
    StatusReport,
    WriterStatus,
)
from contextframe_monitoring.query.alerting import alerting_findings, alerting_status
from contextframe_monitoring.query.resources import resource_uses
from contextframe_monitoring.query.target_health import target_findings, target_statuses
from contextframe_monitoring.store.ledger import KeeperState
from contextframe_monitoring.store.machine import FileLock, free_bytes
from contextframe_monitoring.store.schemas import RAW_TABLES, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.reader import WriterView
from contextframe_monitoring.store.spool.segment import LOSS_REASONS
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK
from contextframe_monitoring.store.store import Store

WRITERS_LISTED_MAX = 20
LAG_SECONDS_MAX = 30
_VERSIONS = ("contextframe-monitoring", "mcp", "pylance", "lancedb", "pyarrow")


def status_report(
    store: Store,
    config: MonitoringConfig,
    now_us: int,
    own: OwnWriter | None = None,
) -> StatusReport:
    """Return how the monitor is doing; `own` is the recorder of the process that asks.

    Raises `StoreError` when the store can't be read.
    """
    snapshot = Snapshot(store)
    writers = writer_statuses(snapshot)
    lost = lost_records(store, writers)
    if own is not None:
        lost += _untold(own, store, writers)
    stored = sum(store.tables.count(name) for name in RAW_TABLES)
    keeper = keeper_status(store)
    quarantined = _quarantined(store)
    lag = lag_seconds(snapshot, now_us)
    alerting = alerting_status(store)
    findings = _findings(config, keeper, lost, quarantined, lag)
    findings += alerting_findings(alerting, store, config, now_us)
    targets = target_statuses(store, config)
    findings += target_findings(targets)
    return StatusReport(
        status="disabled" if not config.enabled else "degraded" if findings else "ok",
        enabled=config.enabled,
        store=store.uri,
        writers=writers[:WRITERS_LISTED_MAX],
        writers_more=max(len(writers) - WRITERS_LISTED_MAX, 0),
        undrained_frames=len(snapshot.waiting),
        drain_lag_seconds=lag,
        recorded=stored + len(snapshot.waiting) + lost.total(),
        stored=stored,
        lost=dict(lost),
        active_operations=sum(w.active_operations for w in writers),
        connections=sum(w.connections for w in writers),
        keeper=keeper,
        alerts=alerting,
        targets=targets,
        quarantined=quarantined[:WRITERS_LISTED_MAX],
        unmatched_operations=_unmatched(snapshot),
        rollup_others={} if store.folds is None else store.folds.others(),
        last_error=(own and own.last_error) or keeper.last_error,
        disk_free_bytes=free_bytes(store.spool_root.parent),
        resources=list(resource_uses(snapshot, now_us)),
        versions=versions(),
        findings=findings,
    )


def _untold(own: OwnWriter, store: Store, writers: list[WriterStatus]) -> Counter[str]:
    """Return the losses of this process that no disk shows: it may have refused the counters."""
    told = {} if store.ledger is None else store.ledger.losses()
    told = {**told, **{writer.writer: writer.lost for writer in writers}}
    return Counter(own.lost) - Counter(told.get(own.writer))


def versions() -> dict[str, str]:
    """Return the versions of this package and of what it stands on."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def writer_statuses(snapshot: Snapshot) -> list[WriterStatus]:
    """Return every process with a spool, the living ones first."""
    waiting = Counter(item.writer for item in snapshot.waiting)
    last_seqs = dict(snapshot.drained)
    for item in snapshot.waiting:
        last_seqs[item.writer] = max(last_seqs.get(item.writer, 0), item.seq)
    found = [
        _writer(view, waiting[view.writer], last_seqs.get(view.writer, 0))
        for view in snapshot.writers
    ]
    return sorted(found, key=lambda writer: (not writer.alive, writer.name, writer.writer))


def lost_records(store: Store, writers: list[WriterStatus]) -> Counter[str]:
    """Return all losses by reason: of living writers as their spools say, of others as noted."""
    lost: Counter[str] = Counter()
    living = {writer.writer for writer in writers}
    if store.ledger is not None:
        for name, counts in store.ledger.losses().items():
            if name not in living:
                lost.update(counts)
    for writer in writers:
        lost.update(writer.lost)
    return lost


def _quarantined(store: Store) -> list[str]:
    if store.ledger is None:
        return []
    return [f"{file}: {problem}" for file, _, problem in store.ledger.quarantine()]


def _writer(view: WriterView, waiting: int, last_seq: int) -> WriterStatus:
    header = view.header
    gauges = header.gauges if header is not None and view.alive else (0, 0, 0)
    losses = zip(LOSS_REASONS, header.losses if header else (0,) * len(LOSS_REASONS), strict=True)
    return WriterStatus(
        writer=view.writer,
        name=header.label if header is not None else "",
        pid=header.pid if header is not None else None,
        alive=view.alive,
        recorded=max(view.last_seq, last_seq),
        waiting=waiting,
        active_operations=gauges[0],
        active_operations_max=gauges[1],
        connections=gauges[2],
        lost={reason: count for reason, count in losses if count},
    )


def keeper_status(store: Store) -> KeeperStatus:
    """Return who keeps a store, or kept it last."""
    states = store.ledger.keepers() if store.ledger is not None else []
    newest: KeeperState | None = max(states, key=lambda s: s.drained_us, default=None)
    return KeeperStatus(
        alive=_is_held(FileLock(store.spool_root / KEEPER_LOCK)),
        host=newest.host if newest else None,
        pid=newest.pid if newest else None,
        since=_iso(newest.since_us) if newest else None,
        last_seen=_iso(newest.drained_us) if newest else None,
        last_error=newest.last_error if newest else None,
    )


def _is_held(lock: FileLock) -> bool:
    if not lock.path.exists():
        return False
    try:
        free = lock.acquire()
    except OSError:
        return False
    lock.release()
    return not free


def lag_seconds(snapshot: Snapshot, now_us: int) -> float | None:
    """Return the age of the oldest record that waits in a spool, None when none does."""
    if not snapshot.waiting:
        return None
    oldest = min(item.record.time_us for item in snapshot.waiting)
    return round(max(now_us - oldest, 0) / 1e6, 3)


def _unmatched(snapshot: Snapshot) -> dict[str, int]:
    counts: Counter[str] = Counter()
    columns = ["operation", "category"]
    for batch in snapshot.batches(USAGE, columns, None, None):
        names = batch.column(0).cast("string").to_pylist()
        if UNMATCHED_EVENT in names:
            kinds = batch.column(1).cast("string").to_pylist()
            counts.update(k for n, k in zip(names, kinds, strict=True) if n == UNMATCHED_EVENT)
    return dict(counts)


def _findings(
    config: MonitoringConfig,
    keeper: KeeperStatus,
    lost: Counter[str],
    quarantined: list[str],
    lag: float | None,
) -> list[Finding]:
    found = []
    if not config.enabled:
        found.append(
            Finding(problem="monitoring is switched off", remedy="set enabled = true to record")
        )
    for reason, count in sorted(lost.items()):
        found.append(Finding(problem=f"{count} record(s) were lost: {reason}", remedy="run verify"))
    if quarantined:
        found.append(
            Finding(
                problem=f"{len(quarantined)} damaged spool segment(s) were kept aside",
                remedy="run verify; look at the disk",
            )
        )
    if lag is not None and lag > LAG_SECONDS_MAX and not keeper.alive:
        found.append(
            Finding(
                problem=f"the oldest undrained record is {lag:.0f} s old and no keeper runs",
                remedy="nothing is lost and reports see it; run `contextframe-monitoring keep`",
            )
        )
    if keeper.last_error:
        found.append(
            Finding(problem=f"the keeper's last error: {keeper.last_error}", remedy="run doctor")
        )
    return found


def _iso(time_us: int) -> str:
    return dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).isoformat()
