"""The spool: what waits there, what was lost on the way, what was kept aside, and who drains it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.query.checkup.patient import Patient
from contextframe_monitoring.query.completeness import LOSS_REMEDIES
from contextframe_monitoring.query.health import (
    keeper_status,
    lag_seconds,
    lost_records,
    writer_statuses,
)
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.reader import QUARANTINE
from contextframe_monitoring.store.store import Store

KEEPER_SILENCE_SECONDS_MAX = 120
"""A keeper notes twice a minute that it lives."""
_KEEP = "run `contextframe-monitoring keep --until-idle`, or a report: nothing is lost meanwhile"


def check_spool(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at what waits, at damaged and newer segments, and at losses."""
    store = patient.store
    if not store.spool_root.is_dir():
        yield Fact(check="spool", says="nothing has been recorded yet")
        return
    snapshot = Snapshot(store)
    writers = writer_statuses(snapshot)
    living = sum(writer.alive for writer in writers)
    waiting = len(snapshot.waiting)
    yield Fact(check="spool", says=f"{living} process(es) record, {waiting:,} record(s) wait")
    segments = [segment for view in snapshot.writers for segment in view.segments]
    newer = sum(segment.newer for segment in segments)
    if newer:
        yield Symptom(
            check="spool",
            severity="error",
            problem=f"{newer} segment(s) were written by a newer version and are not drained",
            remedy="upgrade contextframe-monitoring where its keeper runs",
        )
    for reason, count in sorted(lost_records(store, writers).items()):
        yield Symptom(
            check="losses",
            severity="error",
            problem=f"{count:,} record(s) were lost: {reason}",
            remedy=LOSS_REMEDIES.get(reason, "the recording program caused it"),
        )
    yield from _quarantine(store)
    yield from _backlog(patient, snapshot)


def _quarantine(store: Store) -> Iterator[Symptom]:
    folder = store.spool_root / QUARANTINE
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    if files:
        problems = {f: p for f, _, p in store.ledger.quarantine()} if store.ledger else {}
        first = problems.get(files[0].name, "unknown")
        yield Symptom(
            check="quarantine",
            severity="warning",
            problem=f"{len(files)} damaged segment(s) were kept aside ({files[0].name}: {first})",
            remedy=f"see `verify` and the disk; then delete them from {folder}",
        )


def _backlog(patient: Patient, snapshot: Snapshot) -> Iterator[Symptom]:
    """Complain of what nobody drains: more than writers leave lying, or older than a day."""
    if keeper_status(patient.store).alive:
        return
    size = sum(_size(segment.path) for view in snapshot.writers for segment in view.segments)
    lag = lag_seconds(snapshot, patient.now_us) or 0
    if snapshot.waiting and size > patient.config.backlog_bytes_max:
        yield Symptom(
            check="backlog",
            severity="warning",
            problem=f"{size / (1 << 20):,.1f} MiB wait in the spool and no keeper runs",
            remedy=_KEEP,
        )
    elif lag > US_PER_DAY // US_PER_SECOND:
        yield Symptom(
            check="backlog",
            severity="warning",
            problem=f"the oldest record has waited for {lag / 86_400:,.1f} days, no keeper runs",
            remedy=_KEEP,
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def check_keeper(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at who keeps the store, and whether it does its work."""
    status = keeper_status(patient.store)
    states = patient.store.ledger.keepers() if patient.store.ledger is not None else []
    noted_us = max((state.drained_us for state in states), default=patient.now_us)
    silence = (patient.now_us - noted_us) / US_PER_SECOND
    who = f"process {status.pid} on {status.host}" if status.pid is not None else "a process"
    if not status.alive:
        yield Fact(check="keeper", says="none runs now; reports and `serve` drain the spool too")
    elif silence > KEEPER_SILENCE_SECONDS_MAX:
        yield Symptom(
            check="keeper",
            severity="error",
            problem=f"{who} holds the store but has not drained it for {silence:,.0f} s",
            remedy="end that process: another one takes over",
        )
    else:
        yield Fact(check="keeper", says=f"{who} keeps the store")
    if status.last_error:
        yield Symptom(
            check="keeper",
            severity="error",
            problem=f"its last error: {status.last_error}",
            remedy="see what it names; the keeper tries again every second",
        )
