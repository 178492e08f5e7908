"""`bench ingest`: four processes that record 5,000 records a second each, and the keeper beside
them.

Printed: how far the keeper falls behind, what the processes weigh and how much they grow, what
lies on the disk after compaction beside the same rows as Parquet, and how much was written for it.
Nothing may be missing at the end. `--rounds` are seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contextframe_monitoring.bench import paced_calls
from contextframe_monitoring.bench.pairs import process_mb
from contextframe_monitoring.bench.query import sizes
from contextframe_monitoring.core.errors import ConflictError
from contextframe_monitoring.store.schemas import ALERT_EVENTS, METRIC_TABLES, TABLES
from contextframe_monitoring.store.store import Store

WRITERS, RATE = 4, 5_000
_GROWTH_MB_MAX, _KEEPER_MB_MAX, _LAG_SECONDS_MAX = 8, 400, 5
_SIZE_RATIO_MAX, _AMPLIFICATION_MAX = 1.3, 5
_ENDS_SECONDS_MAX = 120
_MB = 1 << 20


def run(seconds: int) -> dict[str, Any]:
    """Measure `seconds` of steady recording, then as long of calls beside a keeper."""
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        store = Store(f"{folder}/store")
        steady = _steady(store, seconds)
        size = _sizes(store, Path(folder))
    return {
        "seconds": seconds,
        "writers": WRITERS,
        "rate": RATE,
        **steady,
        **size,
        "amplification": _amplification(steady["keeper_wrote_mb"], size),
        "calls": paced_calls.run(seconds),
        "targets": {
            "writer_growth_mb": _GROWTH_MB_MAX,
            "keeper_mb": _KEEPER_MB_MAX,
            "lag_seconds": _LAG_SECONDS_MAX,
            "size_ratio": _SIZE_RATIO_MAX,
            "amplification": _AMPLIFICATION_MAX,
        },
    }


def _steady(store: Store, seconds: int) -> dict[str, Any]:
    from contextframe_monitoring.query.completeness import verify

    samples = _Samples()
    with _keeper(store) as keeper:
        writers = [_writer(store, seconds, number) for number in range(WRITERS)]
        while any(writer.poll() is None for writer in writers):
            time.sleep(1)
            samples.take(store, keeper.pid, [writer.pid for writer in writers])
        told = [json.loads(writer.communicate()[0]) for writer in writers]
        _until_drained(store)
        wrote_mb = _wrote_mb(keeper.pid)
    proof = verify(store)
    recorded = sum(one["recorded"] for one in told)
    stored = proof.stored - store.tables.count(ALERT_EVENTS)  # the keeper's own, of made-up costs
    if not proof.complete or stored != recorded:
        raise ConflictError(f"{recorded} recorded, {stored} stored: {proof.findings}")
    return {
        "recorded": recorded,
        "late_seconds": round(max(one["late"] for one in told), 3),
        "keeper_wrote_mb": wrote_mb,
        **samples.figures(),
    }


class _Samples:
    """What the processes weigh and how old the oldest waiting record is, second by second."""

    def __init__(self) -> None:
        self._writers: dict[int, list[float]] = {}
        self._keeper: list[float] = []
        self._lags: list[float] = []

    def take(self, store: Store, keeper: int, writers: list[int]) -> None:
        from contextframe_monitoring.query.health import lag_seconds
        from contextframe_monitoring.store.snapshot import Snapshot

        lag = lag_seconds(Snapshot(store), time.time_ns() // 1000)
        self._lags.append(lag or 0.0)
        for pid in writers:
            weight = process_mb(pid, "status", "VmRSS")
            if weight is not None:
                self._writers.setdefault(pid, []).append(weight)
        weight = process_mb(keeper, "status", "VmRSS")
        if weight is not None:
            self._keeper.append(weight)

    def figures(self) -> dict[str, Any]:
        grown = [max(weights) - weights[0] for weights in self._writers.values()]
        return {
            "lag_seconds_max": max(self._lags, default=None),
            "writer_mb_max": max((max(w) for w in self._writers.values()), default=None),
            "writer_growth_mb": round(max(grown), 1) if grown else None,
            "keeper_mb_max": max(self._keeper, default=None),
        }


@contextlib.contextmanager
def _keeper(store: Store) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "contextframe_monitoring", "keep", "--store", store.uri]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _writer(store: Store, seconds: int, number: int) -> subprocess.Popen[bytes]:
    module = "contextframe_monitoring.bench.steady_writer"
    arguments = [store.uri, str(RATE), str(seconds), str(number * RATE * seconds)]
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE)


def _until_drained(store: Store) -> None:
    from contextframe_monitoring.store.snapshot import Snapshot

    end = time.monotonic() + _ENDS_SECONDS_MAX
    while Snapshot(store).waiting:
        if time.monotonic() > end:
            raise ConflictError(f"the keeper has not drained all within {_ENDS_SECONDS_MAX} s")
        time.sleep(0.2)


def _wrote_mb(pid: int) -> float | None:
    """Return how much a process has written to files; None where the system doesn't tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("write_bytes"):
                return round(int(line.split()[1]) / _MB, 1)
    return None


def _sizes(store: Store, folder: Path) -> dict[str, Any]:
    """Compact, and return what the raw tables take in Lance and as Parquet.

    Old versions of a table go ten minutes later: only `with_old_mb` counts them.
    """
    import pyarrow.parquet as pq

    from contextframe_monitoring.keeper import Keeper

    keeper = Keeper(Store(store.uri))
    keeper.take()
    before_mb = _wrote_mb(os.getpid())
    keeper.compact()
    after_mb = _wrote_mb(os.getpid())
    keeper.release()
    parquet = 0
    for name in METRIC_TABLES:
        dataset = store.tables.dataset(name)
        if dataset is not None:
            file = folder / f"{name}.parquet"
            pq.write_table(dataset.to_table(), file, compression="zstd")
            parquet += file.stat().st_size
    size = {name: found + _beside(store, name) for name, found in sizes(store).items()}
    raw = sum(size[name] for name in METRIC_TABLES)
    return {
        "lance_mb": round(sum(size.values()) / _MB, 1),
        "with_old_mb": round(sum(_bytes_below(_folder(store, name)) for name in TABLES) / _MB, 1),
        "raw_mb": round(raw / _MB, 1),
        "parquet_mb": round(parquet / _MB, 1),
        "size_ratio": _ratio(raw, parquet),
        "compaction_wrote_mb": None
        if before_mb is None or after_mb is None
        else round(after_mb - before_mb, 1),
    }


def _amplification(keeper_wrote_mb: float | None, size: dict[str, Any]) -> float | None:
    """Return how much was written, the last compaction included, for what lies there at last."""
    compaction_mb = size["compaction_wrote_mb"]
    if keeper_wrote_mb is None or compaction_mb is None:
        return None
    return _ratio(keeper_wrote_mb + compaction_mb, size["lance_mb"])


def _folder(store: Store, name: str) -> Path:
    return Path(store.tables.uri(name))


def _beside(store: Store, name: str) -> int:
    """Return the bytes of a table's indices and deletions."""
    folder = _folder(store, name)
    return _bytes_below(folder / "_indices") + _bytes_below(folder / "_deletions")


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else round(one / other, 2)


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    speed = f"{result['writers']} processes at {result['rate']:,} records a second each"
    grew = f"grew by {result['writer_growth_mb']} MB (target: <= {_GROWTH_MB_MAX})"
    keeper = f"the keeper {result['keeper_mb_max']} MB (target: <= {_KEEPER_MB_MAX})"
    parquet = f"{result['parquet_mb']} MB as Parquet zstd: {result['size_ratio']}"
    wrote = f"{result['keeper_wrote_mb']} MB and {result['compaction_wrote_mb']} MB to compact"
    held = f"{result['lance_mb']} MB ({result['with_old_mb']} MB with old versions)"
    amplified = f"{result['amplification']} (target: <= {_AMPLIFICATION_MAX})"
    lines = (
        f"ingest: {speed} for {result['seconds']} s: {result['recorded']:,} stored, each once",
        f"  drain lag {result['lag_seconds_max']} s at most (target: <= {_LAG_SECONDS_MAX})",
        f"  a writer holds {result['writer_mb_max']} MB, {grew}; {keeper}",
        f"  raw rows {result['raw_mb']} MB in Lance, {parquet} (target: <= {_SIZE_RATIO_MAX})",
        f"  the keeper wrote {wrote}, for {held}: {amplified}",
        paced_calls.render(result["calls"]),
    )
    return "\n".join(lines)
