"""`verify`: is everything that was recorded stored, once? Counted from `(writer, seq)`, not
believed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.status import Finding, VerifyReport
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.levels import LEVELS, Level
from contextframe_monitoring.store.removals import PURGE
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, RAW_TABLES, TABLES, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.segment import LOSS_REASONS
from contextframe_monitoring.store.store import Store

DAMAGED = "damaged"
_FINDINGS_MAX = 50
_SUBJECTS = {PERFORMANCE: "performance", USAGE: "usage", COST: "cost"}
_SEQ_BITS = 40


@dataclass(slots=True, kw_only=True)
class _Account:
    """What is known of one writer."""

    taken: int = 0
    stored: int = 0
    waiting: int = 0
    expired: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    damaged: bool = False

    @property
    def missing(self) -> int:
        explained = self.stored + self.waiting + self.expired + self.lost.total()
        return self.taken - explained


def verify(store: Store) -> VerifyReport:
    """Count what every writer recorded against what stands in the tables. Raises `StoreError`."""
    snapshot = Snapshot(store)
    accounts = _accounts(store, snapshot)
    duplicates = _count_stored(store, snapshot, accounts)
    findings: list[Finding] = []
    lost: Counter[str] = Counter()
    gaps = 0
    for writer, account in sorted(accounts.items()):
        lost += account.lost
        missing = account.missing
        if missing > 0 and account.damaged:
            lost[DAMAGED] += missing
        elif missing:
            gaps += max(missing, 0)
            findings.append(_gap(writer, account))
    findings += _about_losses(lost)
    findings += _about_rollups(store, snapshot)
    findings += _about_damage(store, snapshot)
    if duplicates:
        findings.append(
            Finding(
                problem=f"{duplicates} record(s) stand more than once in the tables",
                remedy="keep the store and report it: this should be impossible",
            )
        )
    return VerifyReport(
        complete=not findings,
        recorded=sum(a.taken for a in accounts.values()),
        stored=sum(a.stored for a in accounts.values()),
        waiting=sum(a.waiting for a in accounts.values()),
        expired=sum(a.expired for a in accounts.values()),
        duplicates=duplicates,
        gaps=gaps,
        lost=dict(lost),
        findings=findings[:_FINDINGS_MAX],
    )


def _accounts(store: Store, snapshot: Snapshot) -> dict[str, _Account]:
    accounts: dict[str, _Account] = {}
    ledger = store.ledger
    if ledger is not None:
        for known in ledger.known_writers():
            drained = max(known.drained_seq, snapshot.drained.get(known.writer, 0))
            accounts[known.writer] = _Account(taken=drained)
        for writer, counts in ledger.losses().items():
            accounts.setdefault(writer, _Account()).lost = Counter(counts)
        for writer in ledger.damaged_writers():
            accounts.setdefault(writer, _Account()).damaged = True
    for writer, count in _expired(store).items():
        accounts.setdefault(writer, _Account()).expired = count
    for item in snapshot.waiting:
        account = accounts.setdefault(item.writer, _Account())
        account.waiting += 1
        account.taken = max(account.taken, item.seq)
    for view in snapshot.writers:
        account = accounts.setdefault(view.writer, _Account())
        account.taken = max(account.taken, view.last_seq)
        account.damaged |= any(s.scan.damaged or s.problem for s in view.segments)
        if view.header is not None:
            counted = zip(LOSS_REASONS, view.header.losses, strict=True)
            account.lost = Counter({reason: count for reason, count in counted if count})
    return accounts


def _expired(store: Store) -> Counter[str]:
    """Return the rows of each writer that were taken out, those of a removal included that was cut
    off after its rows had gone.
    """
    removals = store.removals
    if removals is None:
        return Counter()
    expired = Counter(removals.expired())
    for removal in removals.unfinished():
        where = condition(removal.table, removal.selection, removal.batch)
        if removal.counts and not store.tables.count(removal.table, where):
            expired.update(removal.counts)
    return expired


def _count_stored(store: Store, snapshot: Snapshot, accounts: dict[str, _Account]) -> int:
    """Fill in how many different records of each writer are stored; return how many stand twice."""
    names: dict[str, int] = {}
    parts: list[np.ndarray[Any, Any]] = []
    for table in RAW_TABLES:
        for batch in store.tables.scan(table, ["writer", "seq"], batch_max=snapshot.done):
            column = batch.column(0)
            known = [names.setdefault(name, len(names)) for name in column.dictionary.to_pylist()]
            ids = np.asarray(known, np.int64)[column.indices.to_numpy(zero_copy_only=False)]
            seqs = batch.column(1).to_numpy(zero_copy_only=False)
            parts.append((ids << _SEQ_BITS) | seqs)
    if not parts:
        return 0
    every = np.concatenate(parts)
    distinct = np.unique(every)
    counts = np.bincount(distinct >> _SEQ_BITS, minlength=len(names))
    for name, index in names.items():
        accounts.setdefault(name, _Account()).stored = int(counts[index])
    return len(every) - len(distinct)


def _gap(writer: str, account: _Account) -> Finding:
    missing = account.missing
    if missing < 0:
        return Finding(
            problem=f"writer {writer} has {-missing} record(s) more than it ever numbered",
            remedy="the state is older than the tables: was state.db restored or deleted?",
        )
    return Finding(
        problem=f"{missing} record(s) of writer {writer} are in no table and no spool",
        remedy="was a table or a spool folder deleted? what is gone can't be brought back",
    )


LOSS_REMEDIES = {
    "disk_full": "free space on the disk of the spool",
    "spool_full": "run a keeper (`contextframe-monitoring keep`) or raise spool_bytes_max",
    "too_large": "record less in one record",
    "unavailable": "make the spool's folder writable (spool_path)",
    DAMAGED: "look at the segments in the spool's quarantine folder, and at the disk",
}


def _about_losses(lost: Counter[str]) -> list[Finding]:
    return [
        Finding(
            problem=f"{count} record(s) were lost: {reason}",
            remedy=LOSS_REMEDIES.get(
                reason, "the recording program caused it; see the documentation"
            ),
        )
        for reason, count in sorted(lost.items())
    ]


def _about_rollups(store: Store, snapshot: Snapshot) -> list[Finding]:
    """Compare the sums of every level with the raw rows of the same batches, as far as both reach.

    While a purge is under way, or was cut off, they differ: whoever keeps the store next ends it.
    """
    removals = store.removals
    if not snapshot.done or removals is None:
        return []
    if any(removal.reason == PURGE for removal in removals.unfinished()):
        return []
    cutoffs, raw_cutoff_us = removals.cutoffs(), removals.raw_cutoff_us()
    raw: dict[int, tuple[Counter[str], int]] = {}
    findings = []
    for level in LEVELS:
        if level is not LEVELS[0] and snapshot.rollup_floor_us(level) is None:
            continue
        reach = max(raw_cutoff_us, cutoffs.get(level.table, 0))
        since = -(-reach // level.bucket_us) * level.bucket_us
        if since not in raw:
            raw[since] = _raw_sums(store, snapshot, since)
        if _level_sums(snapshot, level, since) != raw[since]:
            findings.append(_disagreement(level, _level_sums(snapshot, level, since), raw[since]))
    return findings


def _about_damage(store: Store, snapshot: Snapshot) -> list[Finding]:
    """Read every column of every table: what is only counted above may still be unreadable. A value
    that was changed and can still be read is not noticed here.
    """
    findings = []
    for name in TABLES:
        dataset = store.tables.dataset(name)
        columns = () if dataset is None else dataset.schema.names
        try:
            for _ in store.tables.scan(name, columns, batch_max=snapshot.done) if columns else ():
                pass
        except StoreError as error:
            findings.append(
                Finding(
                    problem=f"rows of table {name} are damaged: {error}",
                    remedy="restore the table from a backup, and look at the disk",
                )
            )
    return findings


def _level_sums(snapshot: Snapshot, level: Level, since: int) -> tuple[Counter[str], int]:
    counts: Counter[str] = Counter()
    nanos = 0
    for subject in _SUBJECTS.values():
        for batch in snapshot.rollups(level, subject, ["count", "nano_usd"], since, None):
            counts[subject] += pc.sum(batch.column(0)).as_py() or 0
            nanos += pc.sum(batch.column(1)).as_py() or 0
    return +counts, nanos


def _raw_sums(store: Store, snapshot: Snapshot, since: int) -> tuple[Counter[str], int]:
    counts: Counter[str] = Counter()
    nanos = 0
    for table, subject in _SUBJECTS.items():
        column = {COST: "amount_nano_usd", PERFORMANCE: "weight"}.get(table, "seq")
        for batch in store.tables.scan(table, [column], start_us=since, batch_max=snapshot.done):
            total = pc.sum(batch.column(0)).as_py() or 0
            counts[subject] += total if table == PERFORMANCE else batch.num_rows
            nanos += total if table == COST else 0
    return +counts, nanos


def _disagreement(
    level: Level, found: tuple[Counter[str], int], raw: tuple[Counter[str], int]
) -> Finding:
    return Finding(
        problem=f"rollups of level {level.name} count {dict(found[0])} and {found[1]} nano-USD, "
        f"raw rows {dict(raw[0])} and {raw[1]}",
        remedy="was a table deleted or changed by another program? `maintain --rebuild` makes the "
        "rollups anew, as far back as raw rows reach",
    )
