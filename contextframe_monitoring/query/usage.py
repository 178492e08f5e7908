"""The usage report: what was used, by whom, and when.

Every row of the table counts as one event of use, except samples of custom metrics: those have
their own section, and count as events only where the query groups or filters by `metric`, `kind`,
`unit` or `metric_type`. A breakdown's `value` is the sum of the rows' values (1 for an access, the
number of results for a query).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from contextframe_monitoring.core.buckets import (
    BUCKET_UNITS,
    BUCKETS_MAX,
    LENGTH_US,
    Buckets,
    BucketUnit,
    buckets,
    unit_for,
)
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.figures import added_up
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reports import UsageReport, UsageRow
from contextframe_monitoring.query.breakdown import (
    category,
    left_out,
    page,
    period,
    resolution,
    times_of,
)
from contextframe_monitoring.query.custom_metrics import METRIC_COLUMNS, CustomMetrics
from contextframe_monitoring.query.dimensions import (
    CUSTOM,
    DOCUMENT_ACCESS,
    EVENT,
    METRIC_TYPE,
    QUERY,
)
from contextframe_monitoring.query.documents import (
    DOCUMENT_COLUMNS,
    DOCUMENTS_MAX,
    Documents,
)
from contextframe_monitoring.query.events import EVENT_COLUMNS, Events
from contextframe_monitoring.query.folded import USE_MEASURES, Folded, weights
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.means import Means
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.searches import SEARCH_COLUMNS, Searches
from contextframe_monitoring.query.source import Mask, Rows, RowSource
from contextframe_monitoring.query.sums import Counts, grown
from contextframe_monitoring.query.use_times import UseTimes, UseTypes, folded_hours
from contextframe_monitoring.store.schemas import USAGE

_TREND_BUCKETS_MAX = 400
RAW_ONLY = "unique_resources, top documents and queries, click-through and measures of events"
_METRIC_KEYS = frozenset({"metric", "kind", "unit", "metric_type", "type"})
_COLUMNS = ("timestamp", METRIC_TYPE, "agent_id", "resource_id", "value")


def usage_report(source: RowSource, query: ReportQuery, config: MonitoringConfig) -> UsageReport:
    """Return the usage report of a query. Raises `InvalidError` or `LimitedError`."""
    scan = Scan(source, USAGE, query)
    events, types = _Uses(scan), UseTypes()
    with_metrics = bool(_METRIC_KEYS & {*query.group_by, *query.where})
    detail = _Detail(scan, config, with_metrics=with_metrics) if query.detail else None
    columns = _COLUMNS if detail is None else (*_COLUMNS, *_Detail.columns)
    cuts = () if detail is None else detail.cuts
    raw_only = ("agent_id", "resource_id") if detail is None else ("agent_id",)
    for rows in scan.rows(columns, USE_MEASURES, cuts, raw_only):
        masks = types.masks(rows)
        samples = None if with_metrics else masks[CUSTOM]
        counted = rows if samples is None else rows.where(~samples)
        if len(counted):
            events.add(counted, types.masks(counted))
            if detail is not None:
                detail.add_uses(counted)
        if detail is not None:
            detail.add(rows, masks)
    breakdown, more = events.breakdown()
    sections: dict[str, Any] = {"resolution": resolution(scan)}
    notes = scan.notes("no usage in this window")
    if scan.folded_read:
        notes.append(left_out(RAW_ONLY if query.detail else "unique_resources"))
    if detail is not None:
        sections, more_notes = detail.sections()
        notes += more_notes
    return UsageReport(
        period=period(query.window),
        total_events=events.total,
        unique_agents=_agents(scan, with_metrics) if scan.folded_read else events.agents.distinct(),
        unique_resources=None if scan.folded_read else events.resources.distinct(),
        total_document_accesses=events.counts_of(DOCUMENT_ACCESS),
        total_queries=events.counts_of(QUERY),
        breakdown=breakdown,
        more=more,
        note="; ".join(notes) or None,
        **sections,
    )


class _Distinct:
    """How many labels of a column occur."""

    def __init__(self, column: str, labels_max: int) -> None:
        self._key, self._counts = ColumnKey(column, labels_max=labels_max), Counts()
        self._labels_max = labels_max

    def add(self, rows: Rows) -> None:
        codes = self._key.codes(rows)
        self._counts.add(codes, len(self._key.names()))

    def distinct(self) -> int | None:
        """Return the number of labels, none aside; None when there were too many to count."""
        names = self._key.names()
        if len(names) > self._labels_max:
            return None
        seen: list[int] = self._counts.values.tolist()
        pairs = zip(seen, names, strict=True)
        return len([name for count, name in pairs if count and name is not None])


def _agents(scan: Scan, with_metrics: bool) -> int | None:
    """Return how many agents there are: read apart, so that rollups are merged over agents."""
    again = Scan(scan.source, USAGE, scan.query.ungrouped(), strict=False)
    agents, types = _Distinct("agent_id", DOCUMENTS_MAX), UseTypes()
    for rows in again.rows(("agent_id", METRIC_TYPE), ("count", "weight")):
        samples = None if with_metrics else types.masks(rows)[CUSTOM]
        counted = rows if samples is None else rows.where(~samples)
        if len(counted):
            agents.add(counted)
    return agents.distinct()


class _Uses:
    """Totals and breakdown."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._counts, self._values = Counts(), Means()
        self._by_type = dict.fromkeys((DOCUMENT_ACCESS, QUERY, EVENT, CUSTOM), 0)
        self.agents = _Distinct("agent_id", DOCUMENTS_MAX)
        self.resources = _Distinct("resource_id", DOCUMENTS_MAX)
        self.total = 0

    def add(self, rows: Rows, masks: dict[str, Mask | None]) -> None:
        codes, groups = self._scan.grouping.codes(rows), len(self._scan.grouping)
        stands = weights(rows)
        self.total += len(rows) if stands is None else int(stands.sum())
        self._counts.add(codes, groups, stands)
        if isinstance(rows, Folded):
            sums, counts = rows.floats("value_sum"), rows.integers("value_count")
            self._values.add_sums(codes, sums, counts, groups)
            for name, mask in masks.items():
                self._by_type[name] += 0 if mask is None else int(rows.counts()[mask].sum())
            return
        self._values.add(codes, rows.floats("value"), groups)
        self.agents.add(rows)
        hidden = np.zeros(len(rows), np.bool_)
        for name, mask in masks.items():
            if mask is not None:
                self._by_type[name] += int(np.count_nonzero(mask))
                if name in {QUERY, CUSTOM}:  # a query's hash and a metric's name are no resource
                    hidden |= mask
        resources = rows.where(~hidden) if hidden.any() else rows
        if len(resources):
            self.resources.add(resources)

    def counts_of(self, name: str) -> int:
        return self._by_type[name]

    def breakdown(self) -> tuple[tuple[UsageRow, ...], int]:
        query, grouping = self._scan.query, self._scan.grouping
        counts = grown(self._counts.values, len(grouping))
        some = np.flatnonzero(counts).tolist()
        labels = grouping.labels()
        groups, more = page(
            query, labels, some, lambda group: int(counts[group]), times_of(grouping)
        )
        rows = tuple(
            UsageRow(
                **category(query, labels[group]),
                count=int(counts[group]),
                value=added_up(self._values.sum(group)),
            )
            for group in groups
        )
        return rows, more


class _Section(Protocol):
    def add(self, rows: Rows) -> None: ...


class _Detail:
    """What a report says beside totals and breakdown."""

    columns = tuple(
        dict.fromkeys((*DOCUMENT_COLUMNS, *SEARCH_COLUMNS, *EVENT_COLUMNS, *METRIC_COLUMNS))
    )

    def __init__(self, scan: Scan, config: MonitoringConfig, *, with_metrics: bool) -> None:
        query = scan.query
        self._scan, self._with_metrics = scan, with_metrics
        self._documents = Documents(query.exact_rows_max)
        self._searches = Searches(config.slow_query_threshold_ms)
        self._events = Events(query.exact_rows_max)
        self._metrics = CustomMetrics(query.exact_rows_max)
        self._trend = UseTimes(_trend_buckets(query))
        hours = query.window.seconds / 3_600
        self._hours = UseTimes(buckets(query.window, "hour")) if hours <= BUCKETS_MAX else None

    @property
    def cuts(self) -> tuple[int, ...]:
        """The times at which the trend changes its bucket."""
        return self._trend.starts_us

    def add_uses(self, rows: Rows) -> None:
        self._trend.add(rows)
        if self._hours is not None:
            self._hours.add(rows)

    def add(self, rows: Rows, masks: dict[str, Mask | None]) -> None:
        sections: dict[str, _Section] = {
            DOCUMENT_ACCESS: self._documents,
            QUERY: self._searches,
            EVENT: self._events,
            CUSTOM: self._metrics,
        }
        for name, section in sections.items():
            mask = masks[name]
            if mask is not None:
                section.add(rows if mask.all() else rows.where(mask))

    def sections(self) -> tuple[dict[str, Any], list[str]]:
        metrics, more_metrics = self._metrics.section(self._scan.query.window)
        notes = [f"{more_metrics} more custom metrics"] if more_metrics else []
        exact = self._events.exact and self._metrics.exact
        pattern = self._hours
        if self._scan.folded_read:
            notes += self._metrics.notes()
            pattern = folded_hours(self._scan, with_metrics=self._with_metrics)
        return {
            "resolution": resolution(self._scan, exact=exact),
            "accesses": self._documents.accesses(),
            "top_documents": self._documents.top(),
            "collections": self._documents.collections(),
            "click_through": self._documents.click_through(),
            "queries": self._searches.by_type(),
            "top_queries": self._searches.top(self._scan.source, self._scan.query),
            "events": self._events.section(),
            "metrics": metrics,
            "pattern": None if pattern is None else pattern.pattern(),
            "trend": self._trend.trend(),
        }, notes


def _trend_buckets(query: ReportQuery) -> Buckets:
    """Cut the trend as the query groups, or so that there are about sixty points."""
    window = query.window
    asked: list[BucketUnit] = [unit for unit in BUCKET_UNITS if unit in query.group_by]
    unit = unit_for(window)
    if asked and (window.end_us - window.start_us) // LENGTH_US[asked[0]] < _TREND_BUCKETS_MAX:
        unit = asked[0]
    return buckets(window, unit)
