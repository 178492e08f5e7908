"""Reports in words, for an agent or a person who reads text: the number asked for first, then
lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from contextframe_monitoring.core import resource_names as names
from contextframe_monitoring.core.errors import shown

if TYPE_CHECKING:
    from contextframe_monitoring.core.reports import CostReport, PerformanceReport, UsageReport
    from contextframe_monitoring.core.reports.cost import Projection
    from contextframe_monitoring.core.reports.report import Period
    from contextframe_monitoring.core.status import ResourceUse, StatusReport, WriterStatus

_LINES_MAX = 50
_PLAIN_CHARS_MAX = 80


class Said(NamedTuple):
    """A report in words: the number that was asked for, then lines."""

    headline: str
    lines: list[str]


def say_performance(report: PerformanceReport) -> Said:
    """Return operations, errors and p95 of the window, then a line for each category."""
    headline = (
        f"{count(report.total_operations, 'operation')} {when(report.period)}: "
        f"{percent(report.error_rate)} errors ({report.errors:,}), "
        f"p50 {ms(report.p50_ms)}, p95 {ms(report.p95_ms)}, {report.slow:,} slow"
    )
    lines = _notes(report.note)
    if report.active_peak is not None:
        connections = count(report.connections or 0, "connection")
        lines.append(f"at most {report.active_peak} at once, {connections}")
    for row in report.error_rate_threshold_exceeded:
        lines.append(f"too many errors: {cell(row.category)} {percent(row.error_rate)}")
    lines += [
        f"{cell(row.category)}: {count(row.count, 'call')}, {percent(row.error_rate)} errors, "
        f"p50 {ms(row.p50_ms)}, p95 {ms(row.p95_ms)}, max {ms(row.max_ms)}"
        for row in report.breakdown[:_LINES_MAX]
    ]
    return Said(headline, [*lines, *_more(report.more, report.omitted)])


def say_usage(report: UsageReport) -> Said:
    """Return uses, agents and resources of the window, then a line for each category."""
    headline = (
        f"{count(report.total_events, 'use')} {when(report.period)} by "
        f"{count(report.unique_agents or 0, 'agent')} of "
        f"{count(report.unique_resources or 0, 'resource')}"
    )
    lines = [
        *_notes(report.note),
        *(f"{cell(row.category)}: {row.count:,}" for row in report.breakdown[:_LINES_MAX]),
    ]
    return Said(headline, [*lines, *_more(report.more, report.omitted)])


def say_cost(report: CostReport) -> Said:
    """Return the total of the window, then a line for each category; what is unknown is said."""
    headline = f"{usd(report.total_cost)} {when(report.period)}"
    lines = []
    if report.unknown.count:
        models = ", ".join(cell(row.model) for row in report.unknown.models[:5])
        lines.append(
            f"not in it: {count(report.unknown.count, 'fact')} of unknown price ({models})"
        )
    else:
        lines += _notes(report.note)
    if report.projection is not None and report.projection.estimated_total is not None:
        lines.append(
            f"projected to the end of the period: {usd(report.projection.estimated_total)}, "
            f"{report.projection.budget_status}{_days_left(report.projection)}"
        )
    if report.cache_savings:
        lines.append(f"saved by caches: {usd(report.cache_savings)}")
    lines += [
        f"{cell(row.category)}: {usd(row.cost)}{_share(row.percentage)}, {count(row.count, 'fact')}"
        for row in report.breakdown[:_LINES_MAX]
    ]
    return Said(headline, [*lines, *_more(report.more, report.omitted)])


def _days_left(projection: Projection) -> str:
    days = projection.days_until_budget_limit
    if projection.budget is None or days is None:
        return ""
    return f", {days:g} days until the limit of {usd(projection.budget)}"


def say_status(report: StatusReport) -> Said:
    """Return whether monitoring works, then what a person should know."""
    lost = sum(report.lost.values())
    headline = (
        f"monitoring is {report.status}: {report.recorded:,} records, {report.stored:,} stored, "
        f"{report.undrained_frames:,} waiting, {lost:,} lost"
    )
    lines = [f"{finding.problem}; {finding.remedy}" for finding in report.findings]
    if report.alerts.active:
        firing = ", ".join(f"{count} {name}" for name, count in report.alerts.active.items())
        lines.insert(0, f"alerts firing: {firing}")
    lines += [_writer(writer) for writer in report.writers if writer.alive]
    lines += [_resources(use) for use in report.resources]
    return Said(headline, lines)


def _writer(writer: WriterStatus) -> str:
    return (
        f"{cell(writer.name or writer.writer)} (pid {writer.pid}): {writer.recorded:,} records, "
        f"{writer.active_operations} in flight"
    )


def _resources(use: ResourceUse) -> str:
    figures = use.figures
    said = []
    if names.CPU_UTILIZATION in figures:
        said.append(f"CPU {figures[names.CPU_UTILIZATION]:.1%}")
    if names.MEMORY in figures:
        said.append(f"memory {figures[names.MEMORY] / 1e6:,.0f} MB")
    if names.THREADS in figures:
        said.append(f"{figures[names.THREADS]:.0f} threads")
    open_files = figures.get(names.OPEN_FILES, figures.get(names.OPEN_HANDLES))
    if open_files is not None:
        said.append(f"{open_files:.0f} open files")
    if names.LOOP_LAG in figures:
        said.append(f"event loop lag {ms(figures[names.LOOP_LAG] * 1000)}")
    return f"{cell(use.server or use.writer)} uses: {', '.join(said)}"


def _share(percentage: float | None) -> str:
    return "" if percentage is None else f" ({percentage} %)"


def _notes(note: str | None) -> list[str]:
    return [] if note is None else [note]


def _more(rows: int, omitted: tuple[str, ...]) -> list[str]:
    lines = [f"{rows:,} more rows: ask again with next_cursor"] if rows else []
    if omitted:
        lines.append(f"left out to stay short: {', '.join(omitted)}")
    return lines


def count(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def when(period: Period) -> str:
    """Return a window as people write it, to the minute, with its time zone."""
    start, end = (moment[:16].replace("T", " ") for moment in (period.start, period.end))
    return f"from {start} to {end} ({period.timezone})"


def cell(value: object) -> str:
    """Return a category for a line of text; a strange one is quoted, so that it reads as data."""
    text = str(value)
    plain = text.isprintable() and all(char.isalnum() or char in "_-./:@+ ()" for char in text)
    return text if plain and len(text) <= _PLAIN_CHARS_MAX else shown(text)


def ms(value: float | None) -> str:
    """Return milliseconds as people write them."""
    if value is None:
        return "-"
    if value >= 60_000:
        return f"{value / 60_000:.1f} min"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.3g} ms"


def percent(value: float | None) -> str:
    """Return a ratio in percent."""
    return "-" if value is None else f"{100 * value:.3g} %"


def usd(value: object) -> str:
    """Return an amount of USD as people write it; None is unknown."""
    return "unknown" if value is None else f"${value:,.4f}"
