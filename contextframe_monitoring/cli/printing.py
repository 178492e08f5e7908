"""Reports as tables for a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from contextframe_monitoring.cli.options import console
from contextframe_monitoring.core.reports import CostReport, PerformanceReport, UsageReport
from contextframe_monitoring.core.sayings import (
    ms,
    percent,
    say_cost,
    say_performance,
    say_usage,
    usd,
)
from contextframe_monitoring.core.status import VerifyReport


def _table(*names: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column(names[0], overflow="fold", min_width=_CATEGORY_WIDTH)
    for name in names[1:]:
        table.add_column(name, justify="right")
    return table


_CATEGORY_WIDTH = 24


def print_performance(found: PerformanceReport) -> None:
    """Print a performance report."""
    said = say_performance(found)
    console.print(said.headline, markup=False, highlight=False)
    if found.note:
        console.print(found.note, markup=False, highlight=False)
    if not found.breakdown:
        return
    table = _table("category", "count", "errors", "p50", "p95", "p99", "max")
    for row in found.breakdown:
        table.add_row(
            escape(row.category),
            f"{row.count:,}",
            percent(row.error_rate),
            ms(row.p50_ms),
            ms(row.p95_ms),
            ms(row.p99_ms),
            ms(row.max_ms),
        )
    console.print(table)
    _print_more(found.more)


def print_usage(found: UsageReport) -> None:
    """Print a usage report."""
    console.print(say_usage(found).headline, markup=False, highlight=False)
    if found.note:
        console.print(found.note, markup=False, highlight=False)
    if not found.breakdown:
        return
    table = _table("category", "count")
    for row in found.breakdown:
        table.add_row(escape(row.category), f"{row.count:,}")
    console.print(table)
    _print_more(found.more)


def print_cost(found: CostReport) -> None:
    """Print a cost report."""
    said = say_cost(found)
    console.print(said.headline, markup=False, highlight=False)
    for line in said.lines[: len(said.lines) - len(found.breakdown)]:
        console.print(line, markup=False, highlight=False)
    print_tools(found)
    if not found.breakdown:
        return
    table = _table("category", "cost", "share", "facts")
    for row in found.breakdown:
        share = "-" if row.percentage is None else f"{row.percentage} %"
        table.add_row(escape(row.category), usd(row.cost), share, f"{row.count:,}")
    console.print(table)
    _print_more(found.more)


def print_tools(found: CostReport) -> None:
    """Print what tools put into the context, where the report says it."""
    if not found.tools:
        return
    model = found.tools_model or "a model that is not known: set context_model"
    how = "estimated" if any(row.tokens_estimated for row in found.tools) else "counted"
    console.print(f"context of tools, {how}, read by {model}", markup=False, highlight=False)
    table = _table("tool", "definition", "growth", "calls", "results", "cost")
    for row in found.tools:
        definition = "-" if row.definition_tokens is None else f"{row.definition_tokens:,}"
        results = "-" if row.result_tokens is None else f"{row.result_tokens:,}"
        table.add_row(
            escape(row.tool if row.server is None else f"{row.server} / {row.tool}"),
            definition,
            f"{row.definition_growth:+,}" if row.definition_growth else "",
            f"{row.calls:,}" if row.calls else "never",
            results,
            usd(row.result_cost),
        )
    console.print(table)


def print_verify(found: VerifyReport) -> None:
    """Print the proof of completeness."""
    word = "complete" if found.complete else "NOT complete"
    console.print(
        f"{word}: {found.recorded:,} recorded = {found.stored:,} stored"
        f" + {found.waiting:,} waiting + {found.expired:,} expired"
        f" + {sum(found.lost.values()):,} lost + {found.gaps:,} missing;"
        f" {found.duplicates:,} duplicates",
        style="green" if found.complete else "red",
        markup=False,
        highlight=False,
    )
    for finding in found.findings:
        console.print(f"- {finding.problem}; {finding.remedy}", markup=False, highlight=False)


def _print_more(rows: int) -> None:
    if rows:
        console.print(f"{rows:,} more rows: raise --limit", markup=False, highlight=False)
