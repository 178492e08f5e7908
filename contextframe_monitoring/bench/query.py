"""`bench query`: the reports that agents ask, beside DuckDB and SQLite on the same rows.

A store is filled with as many operations, costs and uses (see `bench.fleet`) over 30 days, folded
and compacted. Every round asks every question once, each of all programs in turn. The first round
is told apart: nothing is kept in memory yet. DuckDB has the raw rows in a table of its own, and the
same rollups beside; SQLite has the raw rows with an index on time.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contextframe_monitoring.bench.filled_store import fill
from contextframe_monitoring.bench.pairs import process_mb
from contextframe_monitoring.bench.query_peers import DuckPeer, Peer, SqlitePeer
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.usage import usage_report
from contextframe_monitoring.store.schemas import COST, METRIC_TABLES, PERFORMANCE, TABLES, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

ROWS, DAYS = 200_000, 30
START_US = 20_000 * US_PER_DAY
TARGETS_MS = {"a window up to a year": 60, "one day": 10, "duckdb_raw_ratio": 2.0}
_END_US = START_US + DAYS * US_PER_DAY
_MONTH = Window(START_US, _END_US)
_RAGGED = Window(START_US + 3_725_000_123, _END_US - 7_212_345_678)
_BERLIN = Window(_RAGGED.start_us, _RAGGED.end_us, "Europe/Berlin")
_DAY = Window(_END_US - US_PER_DAY - 12_345_678, _END_US - 12_345_678)

QUESTIONS: dict[str, tuple[str, tuple[str, ...], Window, bool]] = {
    "operations by target": (PERFORMANCE, ("target",), _MONTH, False),
    "operations by target, all sections": (PERFORMANCE, ("target",), _RAGGED, True),
    "operations by target, one day": (PERFORMANCE, ("target",), _DAY, False),
    "cost by model": (COST, ("model",), _MONTH, False),
    "cost by model, all sections": (COST, ("model",), _RAGGED, True),
    "cost by model, all sections, Berlin": (COST, ("model",), _BERLIN, True),
    "cost by model, one day": (COST, ("model",), _DAY, False),
    "uses by collection": (USAGE, ("collection",), _MONTH, False),
    "uses by collection, all sections": (USAGE, ("collection",), _RAGGED, True),
}
"""Table, keys, window and sections of each question; peers answer those without sections."""
_REPORTS: dict[str, Callable[..., Any]] = {
    PERFORMANCE: performance_report,
    COST: cost_report,
    USAGE: usage_report,
}


def run(rounds: int, rows: int = ROWS) -> dict[str, Any]:
    """Fill a store with `rows` of each kind, and ask all questions `rounds` times."""
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        store = Store(f"{folder}/store")
        began = time.perf_counter()
        fill(store, rows, DAYS, START_US)
        filled_seconds = time.perf_counter() - began
        peers = _peers(store, Path(folder))
        times = _asked(store, peers, rounds)
        return {
            "rows": rows,
            "days": DAYS,
            "rounds": rounds,
            "filled_seconds": filled_seconds,
            "bytes": {table: _size(store, table) for table in TABLES},
            "peak_mb": _peak_mb(),
            "duckdb": importlib.util.find_spec("duckdb") is not None,
            "questions": {name: _summary(found) for name, found in times.items()},
            "targets_ms": TARGETS_MS,
        }


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    size = result["bytes"]
    raw = sum(size[table] for table in METRIC_TABLES) / 1e6
    folded = sum(found for table, found in size.items() if table not in METRIC_TABLES) / 1e6
    heads = "".join(f"{name:>9}" for name in ("duckdb", "rollups", "sqlite"))
    lines = [
        f"query: {result['rows']:,} rows of each kind over {result['days']} days,",
        f"  {result['rounds']} interleaved rounds; raw {raw:.0f} MB, rollups {folded:.0f} MB,",
        f"  peak memory {result['peak_mb']} MB",
        f"{'median ms':38}{'ours':>8}{'cpu':>8}{'first':>8}  from  {heads}",
    ]
    for name, found in result["questions"].items():
        peers = "".join(_cell(found.get(peer)) for peer in ("duckdb", "duckdb_rollups", "sqlite"))
        lines.append(
            f"{name:38}{found['ours_ms']:8.1f}{found['cpu_ms']:8.1f}{found['first_ms']:8.1f}"
            f"  {found['source']:6}{peers}"
        )
    if not result["duckdb"]:
        lines.append("duckdb is not installed: pip install 'contextframe-monitoring[bench]'")
    return "\n".join(lines)


def _cell(milliseconds: float | None) -> str:
    return f"{'-':>9}" if milliseconds is None else f"{milliseconds:9.1f}"


def _peers(store: Store, folder: Path) -> list[Peer]:
    peers: list[Peer] = [SqlitePeer(store, folder / "peer.sqlite")]
    if importlib.util.find_spec("duckdb") is not None:
        peers += [DuckPeer(store), DuckPeer(store, rollups=True)]
    return peers


def _asked(store: Store, peers: list[Peer], rounds: int) -> dict[str, list[dict[str, Any]]]:
    times: dict[str, list[dict[str, Any]]] = {name: [] for name in QUESTIONS}
    config = MonitoringConfig()
    for _ in range(rounds):
        for name, (table, keys, window, detail) in QUESTIONS.items():
            query = ReportQuery(window=window, group_by=keys, detail=detail)
            wall, cpu = time.perf_counter(), time.process_time()
            report = _REPORTS[table](Snapshot(store), query, config)
            found: dict[str, Any] = {
                "ours": (time.perf_counter() - wall) * 1e3,
                "cpu": (time.process_time() - cpu) * 1e3,
                "source": report.resolution.source,
            }
            if not detail:
                for peer in peers:
                    wall = time.perf_counter()
                    if peer.answered(table, keys[0], window):
                        found[peer.name] = (time.perf_counter() - wall) * 1e3
            times[name].append(found)
    return times


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    later = found[1:] or found
    names = [name for name in found[0] if name not in {"ours", "cpu", "source"}]
    return {
        "ours_ms": statistics.median(one["ours"] for one in later),
        "cpu_ms": statistics.median(one["cpu"] for one in later),
        "max_ms": max(one["ours"] for one in later),
        "first_ms": found[0]["ours"],
        "source": found[0]["source"],
        **{name: statistics.median(one[name] for one in later) for name in names},
    }


def _size(store: Store, table: str) -> int:
    """Return the bytes of the newest version of a table."""
    dataset = store.tables.dataset(table)
    if dataset is None:
        return 0
    folder = Path(store.tables.uri(table)) / "data"
    files = (file.path for part in dataset.get_fragments() for file in part.data_files())
    return sum((folder / file).stat().st_size for file in files)


def _peak_mb() -> float | None:
    """Return the most that this process held; None where there is no /proc."""
    return process_mb(os.getpid(), "status", "VmHWM")
