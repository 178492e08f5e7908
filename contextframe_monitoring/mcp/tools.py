"""The tools that agents call: flat parameters with bounds, one number first, then structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from contextframe_monitoring.core.cursor import next_cursor
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.queries import ReportQuery, filters, group_keys
from contextframe_monitoring.core.sayings import (
    Said,
    say_cost,
    say_performance,
    say_status,
    say_usage,
)
from contextframe_monitoring.mcp.alert_tools import ALERT_TOOL_NAMES, add_alert_tools
from contextframe_monitoring.mcp.answers import answer, fitted, structure
from contextframe_monitoring.mcp.record_usage import add_record_usage
from contextframe_monitoring.monitor import Monitor

if TYPE_CHECKING:
    from contextframe_monitoring.core.reports import Report
    from contextframe_monitoring.export.exporter import Exported

TOOL_NAMES = (
    "get_usage_metrics",
    "get_performance_metrics",
    "get_cost_report",
    "export_metrics",
    "get_monitoring_status",
    "record_usage",
    *ALERT_TOOL_NAMES,
)
TOKENS_DEFAULT, TOKENS_MAX = 2_000, 20_000

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

Since = Annotated[str, Field(description="24h, 7d, today, month, ISO 8601")]
Until = Annotated[str | None, Field()]
Zone = Annotated[str | None, Field(description="IANA")]
Where = Annotated[list[str], Field(max_length=8, description="key=value")]
Limit = Annotated[int, Field(ge=1, le=200)]
Sources = Literal["auto", "exact"]
"""`exact`: raw rows alone, as far as they reach."""
Tokens = Annotated[int, Field(ge=200, le=TOKENS_MAX)]
Cursor = Annotated[str | None, Field(max_length=4096, description="next_cursor")]
PerformanceKeys = Annotated[
    str,
    Field(
        max_length=300,
        description="comma list: target, method, agent, server, session, user, status, "
        "error_type, minute to month, any attribute",
    ),
]
UsageKeys = Annotated[
    str,
    Field(
        max_length=300,
        description="comma list: document, collection, query_type, operation, event, category, "
        "outcome, metric, agent, user, hour, any attribute",
    ),
]
CostKeys = Annotated[
    str,
    Field(
        max_length=300,
        description="comma list: model, provider, type, agent, operation, server, session, "
        "user, day, feature, any attribute",
    ),
]


class _Answer(BaseModel):
    """What every structured answer is at least; the rest stands in the published schemas."""

    model_config = ConfigDict(extra="allow", title="")


class PerformanceAnswer(_Answer):
    """Operations."""

    total_operations: int
    errors: int
    error_rate: float | None
    breakdown: list[dict[str, Any]]


class UsageAnswer(_Answer):
    """Uses."""

    total_events: int
    breakdown: list[dict[str, Any]]


class CostAnswer(_Answer):
    """Costs."""

    total_cost: float | None
    breakdown: list[dict[str, Any]]


class StatusAnswer(_Answer):
    """The monitor."""

    status: str
    lost: dict[str, int]


class ExportAnswer(_Answer):
    """An export."""

    format: str
    rows: int
    path: str | None
    content: str | None


def add_tools(server: MCPServer, monitor: Monitor) -> None:
    """Register the tools with a server. Their definitions are short: an agent pays for them."""
    _add_reports(server, monitor)
    _add_costs(server, monitor)
    _add_status(server, monitor)
    _add_export(server, monitor)
    add_record_usage(server, monitor)
    add_alert_tools(server, monitor)


def shorten(schema: dict[str, Any]) -> None:
    """Take out of a tool's schema what says nothing: titles, and null beside one other type."""
    for part in (schema, *schema.get("properties", {}).values()):
        part.pop("title", None)
        if part.get("additionalProperties") is True:
            del part["additionalProperties"]
        part.get("items", {}).pop("additionalProperties", None)
        kinds = [kind for kind in part.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1 and part.get("default", "") is None:
            del part["anyOf"], part["default"]
            part.update(kinds[0])


def _add_reports(server: MCPServer, monitor: Monitor) -> None:
    @server.tool(annotations=_READS)
    async def get_performance_metrics(
        since: Since = "24h",
        until: Until = None,
        group_by: PerformanceKeys = "target",
        where: Where = [],  # noqa: B006 - the schema shows the default; nothing changes it
        timezone: Zone = None,
        limit: Limit = 20,
        resolution: Sources = "auto",
        max_tokens: Tokens = TOKENS_DEFAULT,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, PerformanceAnswer]:
        """How many operations ran, how fast (p50-p99), and how many failed."""
        return await _report(
            monitor, "performance", since, until, group_by, where, timezone, limit, resolution,
            max_tokens, cursor,
        )  # fmt: skip

    @server.tool(annotations=_READS)
    async def get_usage_metrics(
        since: Since = "24h",
        until: Until = None,
        group_by: UsageKeys = "document",
        where: Where = [],  # noqa: B006 - the schema shows the default; nothing changes it
        timezone: Zone = None,
        limit: Limit = 20,
        resolution: Sources = "auto",
        max_tokens: Tokens = TOKENS_DEFAULT,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, UsageAnswer]:
        """Which documents, queries, events and custom metrics were used, by whom."""
        return await _report(
            monitor, "usage", since, until, group_by, where, timezone, limit, resolution,
            max_tokens, cursor,
        )  # fmt: skip


def _add_costs(server: MCPServer, monitor: Monitor) -> None:
    @server.tool(annotations=_READS)
    async def get_cost_report(
        since: Since = "month",
        until: Until = None,
        group_by: CostKeys = "model",
        where: Where = [],  # noqa: B006 - the schema shows the default; nothing changes it
        timezone: Zone = None,
        limit: Limit = 20,
        resolution: Sources = "auto",
        max_tokens: Tokens = TOKENS_DEFAULT,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, CostAnswer]:
        """What was spent in USD, on what, with projection; unknown prices are listed."""
        return await _report(
            monitor, "cost", since, until, group_by, where, timezone, limit, resolution,
            max_tokens, cursor,
        )  # fmt: skip


def _add_status(server: MCPServer, monitor: Monitor) -> None:
    @server.tool(annotations=_READS)
    async def get_monitoring_status() -> Annotated[CallToolResult, StatusAnswer]:
        """Whether monitoring works: writers, undrained and lost records, findings."""
        try:
            report = await monitor.status()
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        said = say_status(report)
        return answer(said.headline, said.lines, structure(report))


def _add_export(server: MCPServer, monitor: Monitor) -> None:
    @server.tool(annotations=_WRITES)
    async def export_metrics(
        subject: Literal["usage", "performance", "cost"] = "performance",
        format: Literal["json", "csv", "parquet", "prometheus"] = "json",  # noqa: A002 - the seed's
        since: Since = "24h",
        until: Until = None,
        file: Annotated[
            str | None,
            Field(
                max_length=200, description="name below the export folder; default: in the answer"
            ),
        ] = None,
        target: Annotated[
            str | None, Field(max_length=64, description="configured target to send new data to")
        ] = None,
    ) -> Annotated[CallToolResult, ExportAnswer]:
        """Export raw metrics: into the answer, a file, or a configured target."""
        try:
            exported = await monitor.in_thread(
                lambda: (
                    monitor.export_to(target)
                    if target is not None
                    else monitor.export(subject, format, since=since, until=until, file=file)
                )
            )
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        lines = [] if exported.content is None else [exported.content]
        return answer(_exported(exported), lines, structure(exported))


def _exported(done: Exported) -> str:
    if done.target is not None:
        return f"{done.rows} points sent to target {done.target} ({done.format})"
    place = f"written to {done.path}" if done.path else "below"
    return f"{done.rows} rows as {done.format}, {place}"


_SAYINGS = {"performance": say_performance, "usage": say_usage, "cost": say_cost}


async def _report(
    monitor: Monitor,
    kind: Literal["performance", "usage", "cost"],
    since: str,
    until: str | None,
    group_by: str,
    where: list[str],
    timezone: str | None,
    limit: int,
    resolution: Sources,
    max_tokens: int,
    cursor: str | None,
) -> CallToolResult:
    try:
        query = monitor.reports.question(
            kind,
            since=since,
            until=until,
            timezone=timezone,
            group_by=group_keys(group_by),
            where=filters(where),
            limit=limit,
            exact=resolution == "exact",
            cursor=cursor,
        )
        report: Report = await monitor.in_thread(lambda: getattr(monitor.reports, kind)(query))
    except MonitoringError as error:
        raise ToolError(str(error)) from error
    return fitted(lambda rows, bare: _said(kind, report, query, rows, bare), report, max_tokens)


def _said(
    kind: Literal["performance", "usage", "cost"],
    report: Report,
    query: ReportQuery,
    rows: int,
    bare: int,
) -> tuple[Said, dict[str, Any]]:
    """Return what is said of a report cut to `rows` rows and without its first `bare` sections."""
    kept = report.without(*report.SECTIONS[:bare]).trimmed(rows)
    said = _SAYINGS[kind](kept)  # type: ignore[operator]
    structured = structure(kept)
    following = next_cursor(kind, query, len(kept.breakdown), kept.more)
    if following is not None:
        structured["next_cursor"] = following
    return said, structured
