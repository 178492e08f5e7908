"""The shape of the usage report: what was used, by whom, when."""

from __future__ import annotations

from contextframe_monitoring.core.reports.report import (
    BreakdownRow,
    Part,
    Period,
    Report,
    Resolution,
    TrendPoint,
    sometimes,
)


class UsageRow(BreakdownRow):
    """Uses of one category; `value` is the sum of the rows' values, None where none is known."""

    count: int
    value: float | None


class OperationCount(Part):
    """Accesses by what was done."""

    operation: str
    count: int


class DocumentUse(Part):
    """How often a document was used."""

    document: str
    count: int
    reads: int
    search_hits: int
    updates: int
    deletes: int


class CollectionUse(Part):
    """How often the documents of a collection were used or searched."""

    collection: str
    count: int


class QueryTypeUse(Part):
    """Queries of one type. A query succeeded unless its outcome says something else."""

    query_type: str
    count: int
    avg_duration_ms: float | None
    total_results: float | None
    avg_results: float | None
    success_rate: float
    slow: int


class QueryUse(Part):
    """A query among the most frequent, by the hash of its text; `shape` has no literals."""

    query: str
    count: int
    avg_duration_ms: float | None
    avg_results: float | None
    shape: str | None = sometimes()


class ClickThrough(Part):
    """How many search hits led to a read of the document: see `query.documents`."""

    search_hits: int
    clicked: int
    rate: float | None
    within_minutes: int


class TimePattern(Part):
    """Uses by hour of the day (0 to 23) and by weekday (Monday first), in the asked zone."""

    hour_of_day: tuple[int, ...]
    day_of_week: tuple[int, ...]


class SpreadOf(Part):
    """How a measure is spread over the rows that have it."""

    count: int
    mean: float | None
    min: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


class LabelShare(Part):
    """A category or outcome of an event, and its share of the event's rows."""

    label: str
    count: int
    share: float


class NumberSpread(SpreadOf):
    """One measure of an event."""

    number: str


class EventUse(Part):
    """What an application decided, by the name of the event."""

    event: str
    count: int
    categories: tuple[LabelShare, ...]
    outcomes: tuple[LabelShare, ...]
    duration_ms: SpreadOf | None = sometimes()
    numbers: tuple[NumberSpread, ...] = sometimes(())


class MetricUse(Part):
    """A custom metric. Gauges have a last value, counters a sum and a rate, histograms
    percentiles.
    """

    metric: str
    kind: str
    unit: str | None
    count: int
    last: float | None = sometimes()
    sum: float | None = sometimes()
    rate_per_second: float | None = sometimes()
    mean: float | None = sometimes()
    min: float | None = sometimes()
    max: float | None = sometimes()
    p50: float | None = sometimes()
    p90: float | None = sometimes()
    p95: float | None = sometimes()
    p99: float | None = sometimes()


class UsageReport(Report):
    """What was used, by whom, when."""

    SECTIONS = (
        "pattern", "trend", "top_queries", "collections", "accesses", "events", "metrics",
        "top_documents", "queries", "click_through",
    )  # fmt: skip

    period: Period
    total_events: int
    unique_agents: int | None
    unique_resources: int | None
    total_document_accesses: int
    total_queries: int
    breakdown: tuple[UsageRow, ...]
    more: int = 0
    accesses: tuple[OperationCount, ...] = ()
    top_documents: tuple[DocumentUse, ...] = ()
    collections: tuple[CollectionUse, ...] = ()
    click_through: ClickThrough | None = None
    queries: tuple[QueryTypeUse, ...] = ()
    top_queries: tuple[QueryUse, ...] = ()
    events: tuple[EventUse, ...] = ()
    metrics: tuple[MetricUse, ...] = ()
    pattern: TimePattern | None = None
    trend: tuple[TrendPoint, ...] = ()
    resolution: Resolution
    note: str | None = sometimes()
    omitted: tuple[str, ...] = sometimes(())
