"""The tools by which agents see alerts and take them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from contextframe_monitoring.core.agent_rights import check_right
from contextframe_monitoring.core.alert import Severity
from contextframe_monitoring.core.alert_life import COMMENT_CHARS_MAX
from contextframe_monitoring.core.alert_sayings import alert_line, say_alerts
from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.tokens import estimate_tokens
from contextframe_monitoring.core.windows import span_us
from contextframe_monitoring.mcp.agent import NOBODY, agent_of, client_of
from contextframe_monitoring.mcp.alert_reading import AlertReading
from contextframe_monitoring.mcp.answers import answer, structure
from contextframe_monitoring.monitor import Monitor

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.desk import By
    from contextframe_monitoring.alerts.listing import AlertQuery
    from contextframe_monitoring.alerts.page import AlertPage
    from contextframe_monitoring.core.alert import Alert

ALERT_TOOL_NAMES = ("get_alerts", "update_alert")
TOKENS_MIN, TOKENS_DEFAULT, TOKENS_MAX = 500, 2_000, 20_000
_CURSOR_TOKENS = 100
"""What a cursor adds to an answer, with a short name of a rule in it."""

Action = Literal["acknowledge", "comment", "silence", "resolve", "reopen"]
_COMMANDS: dict[Action, str] = {
    "acknowledge": "alerts ack",
    "comment": "alerts comment",
    "silence": "alerts silence",
    "resolve": "alerts resolve",
    "reopen": "alerts reopen",
}
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

Id = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str | None, Field(max_length=100)]
Text = Annotated[str | None, Field(max_length=COMMENT_CHARS_MAX)]
Least = Annotated[Severity | None, Field(description="the least")]
Since = Annotated[int, Field(ge=0, description="revision of an earlier answer: what changed")]
Limit = Annotated[int, Field(ge=1, le=200)]
Tokens = Annotated[int, Field(ge=TOKENS_MIN, le=TOKENS_MAX)]
Cursor = Annotated[str | None, Field(max_length=512)]
Shown = Annotated[
    Literal["active", "resolved", "all"] | None, Field(description="active; all with since")
]
Span = Annotated[str, Field(max_length=20, description="for silence")]


class AlertsAnswer(BaseModel):
    """Alerts."""

    model_config = ConfigDict(extra="allow", title="")

    alerts: list[dict[str, Any]]
    active: dict[str, int]
    revision: int


class AlertAnswer(BaseModel):
    """One alert."""

    model_config = ConfigDict(extra="allow", title="")

    id: str
    status: str


def add_alert_tools(server: MCPServer, monitor: Monitor) -> None:
    """Register the tools with a server."""
    reading = AlertReading(monitor)
    _add_get(server, monitor, reading)
    _add_update(server, monitor)


def _add_get(server: MCPServer, monitor: Monitor, reading: AlertReading) -> None:
    @server.tool(annotations=_READS)
    async def get_alerts(
        status: Shown = None,
        severity: Least = None,
        rule: Name = None,
        since: Since = 0,
        limit: Limit = 20,
        max_tokens: Tokens = TOKENS_DEFAULT,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, AlertsAnswer]:
        """What is wrong now: alerts that fire; with since, what changed."""
        asked: dict[str, Any] = {"severity": severity, "rule": rule, "since": since}
        asked["status"] = status or ("all" if since else "active")
        try:
            page = await monitor.in_thread(
                lambda: reading.page(_query(monitor, limit=limit, **asked), cursor)
            )
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        return _fitted(page, max_tokens)


def _query(monitor: Monitor, **asked: Any) -> AlertQuery:
    from contextframe_monitoring.alerts.listing import AlertQuery

    return AlertQuery(timezone=monitor.config.timezone, **asked)


def _add_update(server: MCPServer, monitor: Monitor) -> None:
    @server.tool(annotations=_CHANGES)
    async def update_alert(
        ctx: Context,
        alert_id: Id,
        action: Action,
        comment: Text = None,
        silence_for: Span = "1h",
    ) -> Annotated[CallToolResult, AlertAnswer]:
        """Take an alert on or comment it; the rest if you are allowed to."""
        by = caller(ctx)
        try:
            check_right(action, monitor.config.agent_may, f"{_COMMANDS[action]} ...")
            alert = await monitor.in_thread(
                lambda: _changed(monitor, action, alert_id, comment, silence_for, by)
            )
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        return _said(alert, monitor.config.timezone)


def _said(alert: Alert, timezone: str) -> CallToolResult:
    from contextframe_monitoring.core.reports.alerts import alert_row

    row = alert_row(alert, timezone)
    return answer(alert_line(row), (), structure(row))


def caller(ctx: Context[Any]) -> By:
    """Return the agent that calls, for the audit: what it says of itself stays marked as that."""
    from contextframe_monitoring.alerts.desk import By

    known = ctx.session.client_params
    client = client_of({"name": known.client_info.name}) if known is not None else NOBODY
    name, _ = agent_of(ctx.request_context, client)
    return By(bounded_name(f"agent {name or '(unknown)'}"), "tool")


def _changed(
    monitor: Monitor, action: Action, alert_id: str, comment: str | None, span: str, by: By
) -> Alert:
    desk = monitor.alerts.desk
    if action == "acknowledge":
        return desk.acknowledge(alert_id, by, comment)
    if action == "resolve":
        return desk.resolve(alert_id, by, comment)
    if action == "reopen":
        return desk.reopen(alert_id, by, comment)
    if comment is None:
        raise InvalidError("comment", comment, f"{action} needs one: say why")
    if action == "comment":
        return desk.comment(alert_id, comment, by)
    return _silenced(monitor, alert_id, comment, span, by)


def _silenced(monitor: Monitor, alert_id: str, reason: str, span: str, by: By) -> Alert:
    """Let nobody be told of this alert, or another of its rule and group, for a while."""
    length = span_us(span)
    if length is None or length <= 0:
        raise InvalidError("silence_for", span, "expected a span such as 30m, 2h, 1d")
    desk = monitor.alerts.desk
    alert = desk.alert(alert_id)
    matchers = {"rule": alert.rule, **alert.group}
    for key, name in matchers.items():
        if "*" in name:  # it would hold for other names, too
            raise InvalidError(key, name, "a name with * is silenced by a person: alerts silence")
    desk.silence(matchers, None, monitor.clock.now_us() + length, reason, by)
    return desk.alert(alert_id)


def _fitted(page: AlertPage, tokens_max: int) -> CallToolResult:
    """Return the fullest answer of at most about `tokens_max` tokens, text and structure each:
    incidents and details go first, then rows, down to one.
    """
    rows, full = len(page.report.alerts), page
    while True:
        kept = page.trimmed(rows)
        said = say_alerts(kept.report)
        size = max(
            estimate_tokens(kept.report.model_dump_json()) + _CURSOR_TOKENS,
            estimate_tokens("\n".join([said.headline, *said.lines])),
        )
        if size <= tokens_max or (page is not full and rows <= 1):
            break
        if page is full:
            page = page.slim()
        else:
            rows = max(min(rows - 1, rows * tokens_max // size), 1)
    structured = structure(kept.report)
    if (following := kept.next_cursor) is not None:
        structured["next_cursor"] = following
    return answer(said.headline, said.lines, structured)
