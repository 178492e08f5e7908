"""`bench query`: the reports that agents ask, beside DuckDB and SQLite on the same rows.

A store is filled with as many operations, costs and uses (see `bench.fleet`) over 30 days, folded
and compacted. Every round asks every question once, each of all programs in turn. The first round
is told apart: nothing is kept in memory yet. Then we answer twice, from what is kept and anew:
peers keep no answers, so only the latter is like theirs. DuckDB has the raw rows in a table of
its own, and the same rollups beside; SQLite has the raw rows with an index on time.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
from contextframe_monitoring.store.kept_rollups import KeptRollups
from contextframe_monitoring.store.schemas import COST, METRIC_TABLES, PERFORMANCE, TABLES, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

ROWS, DAYS = 200_000, 30
START_US = 20_000 * US_PER_DAY
NO_DUCKDB = "duckdb is not installed: pip install 'contextframe-monitoring[bench]'"
TARGETS_MS = {"a window up to a year": 60, "one day": 10, "duckdb_raw_ratio": 2.0}
_OURS = {"ours", "cpu", "anew", "anew_cpu", "source"}
_COLUMNS = {
    "kept": "ours_ms",
    "max": "max_ms",
    "first": "first_ms",
    "anew": "anew_ms",
    "max ": "anew_max_ms",
    "least": "anew_least_ms",
    "cpu": "anew_cpu_ms",
}
"""`kept`: asked again, from what is held in memory; `anew`: nothing is held, as peers answer."""
_END_US = START_US + DAYS * US_PER_DAY
_MONTH = Window(START_US, _END_US)
_RAGGED = Window(START_US + 3_725_000_123, _END_US - 7_212_345_678)
_BERLIN = Window(_RAGGED.start_us, _RAGGED.end_us, "Europe/Berlin")
_DAY = Window(_END_US - US_PER_DAY - 12_345_678, _END_US - 12_345_678)


class Question(NamedTuple):
    """What one report is asked; peers answer what asks for no further sections."""

    table: str
    keys: tuple[str, ...]
    window: Window
    detail: bool = False
    exact: bool = False


QUESTIONS = {
    "operations by target": Question(PERFORMANCE, ("target",), _MONTH),
    "operations by target, exact": Question(PERFORMANCE, ("target",), _MONTH, exact=True),
    "operations by target, all sections": Question(PERFORMANCE, ("target",), _RAGGED, True),
    "operations by target, one day": Question(PERFORMANCE, ("target",), _DAY),
    "cost by model": Question(COST, ("model",), _MONTH),
    "cost by model, exact": Question(COST, ("model",), _MONTH, exact=True),
    "cost by model, all sections": Question(COST, ("model",), _RAGGED, True),
    "cost by model, all sections, Berlin": Question(COST, ("model",), _BERLIN, True),
    "cost by model, one day": Question(COST, ("model",), _DAY),
    "uses by collection": Question(USAGE, ("collection",), _MONTH),
    "uses by collection, all sections": Question(USAGE, ("collection",), _RAGGED, True),
}
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
        times = asked(store, peers, rounds, QUESTIONS)
        return {
            "rows": rows,
            "days": DAYS,
            "rounds": rounds,
            "filled_seconds": filled_seconds,
            "bytes": sizes(store),
            "peak_mb": peak_mb(),
            "duckdb": importlib.util.find_spec("duckdb") is not None,
            "questions": {name: summary(found) for name, found in times.items()},
            "targets_ms": TARGETS_MS,
        }


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    size = result["bytes"]
    raw = sum(size[table] for table in METRIC_TABLES) / 1e6
    folded = sum(found for table, found in size.items() if table not in METRIC_TABLES) / 1e6
    lines = [
        f"query: {result['rows']:,} rows of each kind over {result['days']} days,",
        f"  {result['rounds']} interleaved rounds; raw {raw:.0f} MB, rollups {folded:.0f} MB,",
        f"  peak memory {result['peak_mb']} MB",
        *table_of(result["questions"]),
    ]
    if not result["duckdb"]:
        lines.append(NO_DUCKDB)
    return "\n".join(lines)


def table_of(questions: dict[str, dict[str, Any]]) -> list[str]:
    """Return the figures of each question as lines."""
    heads = "".join(f"{name:>9}" for name in ("duckdb", "rollups", "sqlite"))
    names = "".join(f"{name:>8}" for name in _COLUMNS)
    lines = [f"{'median ms':38}{names}  from  {heads}"]
    for name, found in questions.items():
        peers = "".join(_cell(found.get(peer)) for peer in ("duckdb", "duckdb_rollups", "sqlite"))
        ours = "".join(f"{found[of]:8.1f}" for of in _COLUMNS.values())
        lines.append(f"{name:38}{ours}  {found['source']:6}{peers}")
    return lines


def _cell(milliseconds: float | None) -> str:
    return f"{'-':>9}" if milliseconds is None else f"{milliseconds:9.1f}"


def _peers(store: Store, folder: Path) -> list[Peer]:
    peers: list[Peer] = [SqlitePeer(store, folder / "peer.sqlite")]
    if importlib.util.find_spec("duckdb") is not None:
        peers += [DuckPeer(store), DuckPeer(store, rollups=True)]
    return peers


def asked(
    store: Store, peers: Sequence[Peer], rounds: int, questions: Mapping[str, Question]
) -> dict[str, list[dict[str, Any]]]:
    """Ask every question `rounds` times, each of all programs in turn; return what each took.

    We answer twice: with what earlier rounds kept in memory, and anew. Peers keep no answers, so
    only the second is to be compared with theirs.
    """
    times: dict[str, list[dict[str, Any]]] = {name: [] for name in questions}
    kept = store.kept
    for _ in range(rounds):
        for name, question in questions.items():
            store.kept = kept
            found = _answered(store, question)
            store.kept = KeptRollups()
            anew = _answered(store, question)
            found |= {"anew": anew["ours"], "anew_cpu": anew["cpu"]}
            for peer in () if question.detail else peers:
                wall = time.perf_counter()
                if peer.answered(question.table, question.keys[0], question.window):
                    found[peer.name] = (time.perf_counter() - wall) * 1e3
            times[name].append(found)
    return times


def _answered(store: Store, question: Question) -> dict[str, Any]:
    query = ReportQuery(
        window=question.window,
        group_by=question.keys,
        detail=question.detail,
        exact=question.exact,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    report = _REPORTS[question.table](Snapshot(store), query, MonitoringConfig())
    return {
        "ours": (time.perf_counter() - wall) * 1e3,
        "cpu": (time.process_time() - cpu) * 1e3,
        "source": report.resolution.source,
    }


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return medians, and what else is told of one question; the first round stands apart."""
    later = found[1:] or found
    names = [name for name in found[0] if name not in _OURS]
    return {
        "ours_ms": statistics.median(one["ours"] for one in later),
        "cpu_ms": statistics.median(one["cpu"] for one in later),
        "least_ms": min(one["ours"] for one in later),
        "max_ms": max(one["ours"] for one in later),
        "first_ms": found[0]["ours"],
        "anew_ms": statistics.median(one["anew"] for one in later),
        "anew_least_ms": min(one["anew"] for one in later),
        "anew_max_ms": max(one["anew"] for one in later),
        "anew_cpu_ms": statistics.median(one["anew_cpu"] for one in later),
        "source": found[0]["source"],
        **{name: statistics.median(one[name] for one in later) for name in names},
    }


def sizes(store: Store) -> dict[str, int]:
    """Return the bytes of the newest version of each table."""
    return {table: _size(store, table) for table in TABLES}


def _size(store: Store, table: str) -> int:
    dataset = store.tables.dataset(table)
    if dataset is None:
        return 0
    folder = Path(store.tables.uri(table)) / "data"
    files = (file.path for part in dataset.get_fragments() for file in part.data_files())
    return sum((folder / file).stat().st_size for file in files)


def peak_mb() -> float | None:
    """Return the most that this process held; None where there is no /proc."""
    return process_mb(os.getpid(), "status", "VmHWM")
