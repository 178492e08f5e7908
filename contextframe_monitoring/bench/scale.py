"""`bench scale`: reports over a year of 100 million events, beside DuckDB on the same events.

The store is filled by `bench.filled_year`. DuckDB holds all raw rows of the year in a table of its
own, and again the rollups of whole days that the store has; asked for percentiles of rollups it
answers counts and means only. It keeps no answers: ratios are to what we answer anew, not from what
is kept in memory. SQLite is asked by `bench query`, which has stores of its size.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from typing import Any

from contextframe_monitoring.bench.filled_year import DAYS, DAYS_KEPT, Filled, fill_year
from contextframe_monitoring.bench.query import (
    NO_DUCKDB,
    START_US,
    Question,
    asked,
    peak_mb,
    sizes,
    summary,
    table_of,
)
from contextframe_monitoring.bench.query_peers import DuckPeer, Peer
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.store.schemas import COST, METRIC_TABLES, PERFORMANCE, USAGE
from contextframe_monitoring.store.store import Store

EVENTS = 100_000_000
TARGETS_MS = {"any_median": 60, "any_max": 100, "day_median": 10}
_SPANS = {"a year": DAYS, "a quarter": 91, "30 days": 30, "a week": 7, "a day": 1}
_SUBJECTS = {
    "operations by target": (PERFORMANCE, ("target",)),
    "operations by agent": (PERFORMANCE, ("agent",)),
    "cost by model": (COST, ("model",)),
    "uses by collection": (USAGE, ("collection",)),
}
_RAGGED_US = 3_725_000_123


def run(rounds: int, rows: int = EVENTS) -> dict[str, Any]:
    """Fill a store with a year of `rows` events, and ask all questions `rounds` times."""
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        store = Store(f"{folder}/store")
        began = time.perf_counter()
        filled = fill_year(store, rows, START_US)
        filled_seconds = time.perf_counter() - began
        peers = _peers(store, filled)
        before_mb = peak_mb()
        times = asked(store, peers, rounds, questions(filled.days))
        return {
            "events": filled.events,
            "days": filled.days,
            "days_kept": DAYS_KEPT,
            "rounds": rounds,
            "filled_seconds": filled_seconds,
            "rows": {table: store.tables.count(table) for table in DAYS_KEPT},
            "bytes": sizes(store),
            "filled_mb": before_mb,
            "peak_mb": peak_mb(),
            "duckdb": bool(peers),
            "questions": {name: summary(found) for name, found in times.items()},
            "targets_ms": TARGETS_MS,
        }


def questions(days: int) -> dict[str, Question]:
    """Return what is asked of a store that holds so many days."""
    end_us = START_US + days * US_PER_DAY
    found = {}
    for span, length in _SPANS.items():
        whole = Window(end_us - min(length, days) * US_PER_DAY, end_us)
        ragged = Window(whole.start_us + _RAGGED_US, end_us - _RAGGED_US)
        for subject, (table, keys) in _SUBJECTS.items():
            found[f"{subject}, {span}"] = Question(table, keys, whole)
            if keys != ("agent",):
                found[f"{subject}, {span}, all"] = Question(table, keys, ragged, True)
    month = Window(end_us - min(30, days) * US_PER_DAY, end_us)
    for subject in ("operations by target", "cost by model", "uses by collection"):
        table, keys = _SUBJECTS[subject]
        found[f"{subject}, 30 days, exact"] = Question(table, keys, month, exact=True)
    return found


def _peers(store: Store, filled: Filled) -> list[Peer]:
    if importlib.util.find_spec("duckdb") is None:
        return []
    return [DuckPeer(store, filled=filled), DuckPeer(store, rollups=True)]


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    size, rows = result["bytes"], result["rows"]
    raw = sum(size[table] for table in METRIC_TABLES) / 1e6
    held = sum(rows[table] for table in METRIC_TABLES)
    folded = sum(found for table, found in size.items() if table not in METRIC_TABLES) / 1e6
    days = f"of days {rows['rollup_1d']:,} rows, {size['rollup_1d'] / 1e6:.0f} MB"
    peak = f"{result['peak_mb']} MB, {result['filled_mb']} MB before the first question"
    lines = [
        f"scale: {result['events']:,} events over {result['days']} days, {result['rounds']} rounds",
        f"  raw rows of 30 days {held:,}, {raw:.0f} MB; rollups {folded:.0f} MB, {days}",
        f"  peak memory, DuckDB's included, {peak}",
        *table_of(result["questions"]),
        *targets_of(result),
    ]
    if not result["duckdb"]:
        lines.append(NO_DUCKDB)
    return "\n".join(lines)


def targets_of(result: dict[str, Any]) -> list[str]:
    """Return, for each target, how many questions meet it and which one is the slowest."""
    asked_for = result["questions"]
    days = {name: found for name, found in asked_for.items() if ", a day" in name}
    least = {name: f for name, f in asked_for.items() if not name.endswith("exact")}
    limits = result["targets_ms"]
    lines = [
        _met(f"{way}{what}", chosen, f"{prefix}{figure}", limits[limit])
        for way, prefix, usual in (("kept, ", "", "ours_ms"), ("anew, ", "anew_", "ms"))
        for what, chosen, figure, limit in (
            ("median", least, usual, "any_median"),
            ("max", least, "max_ms", "any_max"),
            ("a day, median", days, usual, "day_median"),
        )
    ]
    for peer, ratio_min in (("duckdb", 2.0), ("duckdb_rollups", 1.0)):
        chosen = asked_for if peer == "duckdb" else least  # rollups answer nothing exactly
        ratios = {n: f[peer] / f["anew_ms"] for n, f in chosen.items() if peer in f}
        if ratios:
            good = sum(ratio >= ratio_min for ratio in ratios.values())
            worst = min(ratios, key=lambda name: ratios[name])
            lines.append(
                f"{peer} / anew >= {ratio_min}: {good} of {len(ratios)}"
                f" (least {ratios[worst]:.2f}, {worst})"
            )
    return lines


def _met(what: str, found: dict[str, dict[str, Any]], figure: str, most_ms: float) -> str:
    good = sum(one[figure] <= most_ms for one in found.values())
    worst = max(found, key=lambda name: found[name][figure])
    return (
        f"{what} <= {most_ms} ms: {good} of {len(found)} (most {found[worst][figure]:.1f}, {worst})"
    )
