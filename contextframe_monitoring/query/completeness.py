"""`verify`: is everything that was recorded stored, once? Counted from `(writer, seq)`, not
believed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from contextframe_monitoring.core.status import Finding, VerifyReport
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.removals import PURGE
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, RAW_TABLES, ROLLUP_1M, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.segment import LOSS_REASONS
from contextframe_monitoring.store.store import Store

DAMAGED = "damaged"
_FINDINGS_MAX = 50
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
    """Compare the sums of the 1m rollups with the raw rows of the same batches.

    While a purge is under way, or was cut off, they differ: whoever keeps the store next ends it.
    """
    removals = store.removals
    if not snapshot.done or removals is None:
        return []
    if any(removal.reason == PURGE for removal in removals.unfinished()):
        return []
    rollup: Counter[str] = Counter()
    nanos = 0
    columns = ["subject", "count", "nano_usd"]
    since = max(removals.cutoffs().values(), default=0)
    for batch in store.tables.scan(ROLLUP_1M, columns, start_us=since, batch_max=snapshot.done):
        nanos += pc.sum(batch.column(2)).as_py() or 0
        subjects = batch.column(0).cast("string")  # a dictionary may hold one value twice
        for subject in pc.unique(subjects).to_pylist():
            rows = pc.equal(subjects, subject)
            rollup[subject] += pc.sum(batch.column(1).filter(rows)).as_py() or 0
    raw: Counter[str] = Counter()
    raw_nanos = 0
    for table, subject in ((PERFORMANCE, "performance"), (USAGE, "usage"), (COST, "cost")):
        column = "amount_nano_usd" if table == COST else "seq"
        for batch in store.tables.scan(table, [column], start_us=since, batch_max=snapshot.done):
            raw[subject] += batch.num_rows
            if table == COST:
                raw_nanos += pc.sum(batch.column(0)).as_py() or 0
    if +rollup == +raw and nanos == raw_nanos:
        return []
    return [
        Finding(
            problem=f"rollups count {dict(rollup)} and {nanos} nano-USD, "
            f"raw rows {dict(raw)} and {raw_nanos}",
            remedy="was a table deleted or changed by another program?",
        )
    ]
