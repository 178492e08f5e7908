"""The performance report: how many operations, how fast, how many failed, and what stands out.

What counts as an operation, an error and a latency: `query.operations`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from contextframe_monitoring.core.buckets import buckets, unit_for
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.figures import measured, share
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reports import (
    OperationChange,
    OperationRow,
    OperationTrend,
    PerformanceReport,
    PreviousOperations,
    RateAbove,
    SlowTarget,
    Traffic,
)
from contextframe_monitoring.query.breakdown import (
    Labels,
    category,
    left_out,
    page,
    period,
    resolution,
    shown,
    times_of,
)
from contextframe_monitoring.query.concurrency import ActivePeak, Connections
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import ColumnKey, TimeKey
from contextframe_monitoring.query.operations import (
    OPERATION_COLUMNS,
    OPERATION_MEASURES,
    OperationReader,
    Operations,
    OperationTally,
    Summary,
)
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import Integers, Mask, Rows, RowSource
from contextframe_monitoring.query.sums import IntegerSums
from contextframe_monitoring.store.schemas import PERFORMANCE

SLOWEST_MAX = 5
EXCEEDED_MAX = 10
_P95 = 2
"""Place of p95 among a summary's quantiles."""
TRAFFIC_MEASURES = ("request_bytes", "result_bytes", "request_tokens", "result_tokens")
"""Columns of the rollups, in the order of `_TRAFFIC`."""
_TRAFFIC = ("request_size", "result_size", "request_tokens", "result_tokens")


def performance_report(
    source: RowSource, query: ReportQuery, config: MonitoringConfig
) -> PerformanceReport:
    """Return the performance report of a query. Raises `InvalidError` or `LimitedError`.

    The throughput is operations per second of the window. Without grouping, the error rates above
    the threshold are those of the targets.
    """
    scan = Scan(source, PERFORMANCE, query)
    tally = OperationTally(config.slow_query_threshold_ms, query.exact_rows_max)
    detail = _Detail(scan, tally, config) if query.detail else None
    _read(scan, OperationReader(query), tally, detail)
    total, spread = tally.total()
    summaries = tally.summaries(len(scan.grouping))[0] if query.group_by else []
    labels = scan.grouping.labels()
    breakdown, more = _breakdown(scan, labels, summaries)
    sections = detail.sections() if detail is not None else {}
    if query.group_by:
        names = {
            group: category(query, labels[group])["category"]
            for group, summary in enumerate(summaries)
            if _is_above(summary, config)
        }
        sections["error_rate_threshold_exceeded"] = _exceeded(names, summaries)
    if query.detail:
        sections["previous"] = _previous(scan, config, total)
    return PerformanceReport(
        period=period(query.window),
        **_totals(total, query),
        breakdown=breakdown,
        more=more,
        resolution=resolution(scan, exact=spread.exact),
        note="; ".join(_notes(scan, total)) or None,
        **sections,
    )


def _notes(scan: Scan, total: Summary) -> list[str]:
    notes = scan.notes("no operations in this window")
    if scan.folded_read and total.slow:
        notes.append("slow operations are counted from histograms, 1.1 % around the threshold")
    if scan.folded_read and scan.query.detail:
        notes.append(left_out("active_peak and connections"))
    return notes


def _read(
    scan: Scan, reader: OperationReader, tally: OperationTally, detail: _Detail | None
) -> None:
    columns = OPERATION_COLUMNS if detail is None else (*OPERATION_COLUMNS, *detail.columns)
    measures = OPERATION_MEASURES if detail is None else (*OPERATION_MEASURES, *TRAFFIC_MEASURES)
    cuts = () if detail is None else detail.cuts
    for rows in scan.rows(columns, measures, cuts):
        operations = reader.read(rows)
        codes = scan.grouping.codes(rows)
        tally.add(codes, len(scan.grouping), operations)
        if detail is not None:
            detail.add(rows, operations)


class _Detail:
    """What a report says beside totals and breakdown."""

    columns = ("timestamp", "target", "tokens_estimated", *Connections.columns, *_TRAFFIC)

    def __init__(self, scan: Scan, tally: OperationTally, config: MonitoringConfig) -> None:
        query = scan.query
        rows_max = query.exact_rows_max
        self._config = config
        self._targets, self._by_target, self._shared = scan.grouping, tally, True
        if query.group_by not in {("target",), ("tool",)}:
            self._targets, self._shared = Grouping([ColumnKey("target")]), False
            self._by_target = OperationTally(config.slow_query_threshold_ms, rows_max)
        self._times = TimeKey(buckets(query.window, unit_for(query.window)))
        self._by_time = OperationTally(config.slow_query_threshold_ms, rows_max)
        self._peak, self._connections = ActivePeak(rows_max), Connections()
        self._traffic = _TrafficSums()
        self._is_folded = False

    @property
    def cuts(self) -> tuple[int, ...]:
        """The times at which the trend changes its bucket."""
        return self._times.buckets.starts_us

    def add(self, rows: Rows, operations: Operations) -> None:
        if not self._shared:
            self._by_target.add(self._targets.codes(rows), len(self._targets), operations)
        self._by_time.add(self._times.codes(rows), len(self._times.buckets), operations)
        self._traffic.add(rows, operations)
        if rows.folded:
            self._is_folded = True
        else:
            self._peak.add(operations.at_timed(rows.times_us()), operations.latencies_ms)
            self._connections.add(rows)

    def sections(self) -> dict[str, Any]:
        summaries = self._by_target.summaries(len(self._targets))[0]
        names = {group: shown(target) for group, (target,) in enumerate(self._targets.labels())}
        above = {
            g: names[g] for g, summary in enumerate(summaries) if _is_above(summary, self._config)
        }
        return {
            "active_peak": None if self._is_folded else self._peak.peak(),
            "connections": None if self._is_folded else self._connections.count(),
            "error_rate_threshold_exceeded": _exceeded(above, summaries),
            "slowest": _slowest(names, summaries),
            "traffic": self._traffic.section(),
            "trend": self._trend(),
        }

    def _trend(self) -> tuple[OperationTrend, ...]:
        labels = self._times.buckets.labels()
        summaries = self._by_time.summaries(len(labels))[0]
        return tuple(
            OperationTrend(
                date=label,
                count=summary.count,
                errors=summary.errors,
                p95_ms=measured(summary.quantiles_ms[_P95]),
            )
            for label, summary in zip(labels, summaries, strict=True)
        )


class _TrafficSums:
    """Bytes and tokens of the requests, exactly."""

    def __init__(self) -> None:
        self._sums = {name: IntegerSums() for name in _TRAFFIC}
        self._estimated = False

    def add(self, rows: Rows, operations: Operations) -> None:
        stands = 1 if operations.weights is None else operations.weights
        if operations.requests is not None:
            stands = stands * operations.requests
        nowhere = np.zeros(len(rows), np.int64)
        if rows.folded:
            self._add_folded(rows, operations.requests, nowhere)
            return
        for name, sums in self._sums.items():
            values = rows.integers(name)
            whole = values if isinstance(stands, int) else values * stands
            sums.add(nowhere, whole, 1, rows.known(name))
        if not self._estimated:
            self._estimated = pc.any(rows.array("tokens_estimated")).as_py() is True

    def _add_folded(self, rows: Rows, requests: Mask | None, nowhere: Integers) -> None:
        """Rollups don't tell a sum of 0 from an unknown one, nor estimates from counts."""
        for (name, sums), measure in zip(self._sums.items(), TRAFFIC_MEASURES, strict=True):
            values = rows.integers(measure)
            whole = values if requests is None else values * requests
            sums.add(nowhere, whole, 1, values != 0)
            self._estimated = self._estimated or (name.endswith("tokens") and bool(values.any()))

    def section(self) -> Traffic:
        all_rows = np.zeros(1, np.int64)
        known = {
            name: sums.regrouped(all_rows, 1)[0] if sums.known.values.any() else None
            for name, sums in self._sums.items()
        }
        return Traffic(
            request_bytes=known["request_size"],
            result_bytes=known["result_size"],
            request_tokens=known["request_tokens"],
            result_tokens=known["result_tokens"],
            tokens_estimated=self._estimated,
        )


def _previous(scan: Scan, config: MonitoringConfig, now: Summary) -> PreviousOperations | None:
    """Return the totals of the window before; None when no rows reach into it."""
    query = scan.query
    window, oldest = query.window.previous(), scan.reached_us
    if window is None or oldest is None or oldest >= window.end_us:
        return None
    earlier = Scan(scan.source, PERFORMANCE, query.over(window).ungrouped(), strict=False)
    tally = OperationTally(config.slow_query_threshold_ms, query.exact_rows_max)
    _read(earlier, OperationReader(query), tally, None)
    before, _ = tally.total()
    return PreviousOperations(
        total_operations=before.count,
        error_rate=share(before.error_rate),
        p95_ms=measured(before.quantiles_ms[_P95]),
        change=OperationChange(
            total_operations=now.count - before.count,
            error_rate=share(_difference(now.error_rate, before.error_rate)),
            p95_ms=measured(now.quantiles_ms[_P95] - before.quantiles_ms[_P95]),
        ),
        complete=oldest <= window.start_us,
    )


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _totals(total: Summary, query: ReportQuery) -> dict[str, Any]:
    rate = total.error_rate
    return {
        "total_operations": total.count,
        "errors": total.errors,
        "error_rate": share(rate),
        "success_rate": None if rate is None else share(1 - rate),
        "timeouts": total.timeouts,
        "cancelled": total.cancelled,
        "input_required": total.input_required,
        "notifications": total.notifications,
        "outbound": total.outbound,
        "slow": total.slow,
        "throughput_per_second": measured(total.count / query.window.seconds),
        **_latencies(total),
    }


def _latencies(summary: Summary) -> dict[str, Any]:
    p50, p90, p95, p99 = summary.quantiles_ms
    values = {
        "avg_ms": summary.mean_ms,
        "p50_ms": p50,
        "p90_ms": p90,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": summary.max_ms,
    }
    return {name: measured(value) for name, value in values.items()}


def _breakdown(
    scan: Scan, labels: list[Labels], summaries: list[Summary]
) -> tuple[tuple[OperationRow, ...], int]:
    some = [group for group, summary in enumerate(summaries) if summary.count]
    times = times_of(scan.grouping)
    groups, more = page(scan.query, labels, some, lambda group: summaries[group].count, times)
    rows = tuple(
        OperationRow(
            **category(scan.query, labels[group]),
            count=summaries[group].count,
            errors=summaries[group].errors,
            error_rate=share(summaries[group].error_rate),
            slow=summaries[group].slow,
            **_latencies(summaries[group]),
        )
        for group in groups
    )
    return rows, more


def _slowest(names: dict[int, str], summaries: list[Summary]) -> tuple[SlowTarget, ...]:
    timed = [
        (s.quantiles_ms[_P95], names[g], s.count)
        for g, s in enumerate(summaries)
        if s.quantiles_ms[_P95] == s.quantiles_ms[_P95]
    ]
    timed.sort(key=lambda row: (-row[0], row[1]))
    return tuple(
        SlowTarget(target=name, count=count, p95_ms=measured(p95) or 0.0)
        for p95, name, count in timed[:SLOWEST_MAX]
    )


def _is_above(summary: Summary, config: MonitoringConfig) -> bool:
    return summary.error_rate is not None and summary.error_rate > config.error_rate_threshold


def _exceeded(names: dict[int, str], summaries: list[Summary]) -> tuple[RateAbove, ...]:
    rows = [(summaries[g].error_rate or 0.0, name, summaries[g].count) for g, name in names.items()]
    rows.sort(key=lambda row: (-row[0], -row[2], row[1]))
    return tuple(
        RateAbove(category=name, error_rate=share(rate) or 0.0, count=count)
        for rate, name, count in rows[:EXCEEDED_MAX]
    )
