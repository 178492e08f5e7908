"""The tool of the admin toolset: alert rules are listed, tried against the past, and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from contextframe_monitoring.core.agent_rights import check_right
from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.sayings import Said, cell, count
from contextframe_monitoring.mcp.alert_tools import caller
from contextframe_monitoring.mcp.answers import answer, structure
from contextframe_monitoring.monitor import Monitor

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.desk import By
    from contextframe_monitoring.alerts.rule_desk import RuleDesk
    from contextframe_monitoring.alerts.rule_set import KnownRule
    from contextframe_monitoring.core.reports.alerts import BackTest
    from contextframe_monitoring.core.rules import Rule

RULE_TOOL_NAMES = ("manage_alert_rules",)
RULES_SHOWN_MAX, FIRINGS_SHOWN_MAX = 200, 50
KEYS_MAX = 40

Action = Literal[
    "list", "get", "validate", "backtest", "create", "update", "enable", "disable", "delete"
]
_LOOKS = frozenset({"list", "get", "validate", "backtest"})
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)
_Answer = tuple[Said, dict[str, Any]]

Name = Annotated[str | None, Field(max_length=100, description="of a rule that exists")]
Keys = Annotated[
    dict[str, Any] | None,
    Field(
        max_length=KEYS_MAX,
        description="keys of a rule: name, signal, threshold, window, for, severity, filter, "
        "group_by ...; to update: what changes, null for the default",
    ),
]
Since = Annotated[str, Field(max_length=40, description="backtest: 24h, 7d, ISO 8601")]


class RulesAnswer(BaseModel):
    """Rules."""

    model_config = ConfigDict(extra="allow", title="")


def add_rule_tools(server: MCPServer, monitor: Monitor) -> None:
    """Register the tool with a server."""

    @server.tool(annotations=_CHANGES)
    async def manage_alert_rules(
        ctx: Context,
        action: Action = "list",
        name: Name = None,
        rule: Keys = None,
        since: Since = "7d",
    ) -> Annotated[CallToolResult, RulesAnswer]:
        """List alert rules, validate one, backtest it over the past; change them if allowed."""
        by = caller(ctx)
        try:
            if action not in _LOOKS:
                command = f"alerts rules {action} ..."
                check_right("change_rules", monitor.config.agent_may, command)
            said, structured = await monitor.in_thread(
                lambda: _done(monitor, action, name, rule, since, by)
            )
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        return answer(said.headline, said.lines, structured)


def _done(
    monitor: Monitor,
    action: Action,
    name: str | None,
    rule: dict[str, Any] | None,
    since: str,
    by: By,
) -> _Answer:
    desk = monitor.alerts.rule_desk
    if action == "list":
        return _listed(desk)
    if action == "backtest":
        return _backtested(monitor, name, rule, since)
    if action == "validate":
        [found] = desk.validate([_given("rule", rule, action)])
        return _one(f"{cell(found.name)} is valid", found)
    if action == "create":
        [found] = desk.create([_given("rule", rule, action)], by)
        return _one(f"{cell(found.name)} is made", found)
    return _with_known(desk, action, _given("name", name, action), rule, by)


def _with_known(
    desk: RuleDesk, action: Action, name: str, rule: dict[str, Any] | None, by: By
) -> _Answer:
    if action == "get":
        known = desk.rule(name)
        said, structured = _one(f"{cell(name)}: {known.origin}", known.rule)
        return said, {**structured, "origin": known.origin}
    if action == "delete":
        hidden = desk.delete(name, by)
        back = f"; the one of the {hidden.origin} is back" if hidden is not None else ""
        return Said(f"{cell(name)} is deleted{back}", []), {"deleted": name}
    if action == "update":
        return _one(f"{cell(name)} is changed", desk.update(name, _given("rule", rule, action), by))
    is_active = action == "enable"
    word = "on" if is_active else "off"
    return _one(f"{cell(name)} is {word}", desk.enable(name, is_active, by))


def _given(key: str, value: Any, action: str) -> Any:
    if not value:
        raise InvalidError(key, value, f"{action} needs it")
    return value


def _listed(desk: RuleDesk) -> _Answer:
    known, problems = desk.rules(), desk.problems()
    rows = [_row(found, problems.get(name)) for name, found in known.items()]
    lines = [
        f"{cell(row['name'])}: {row['severity']}, {row['origin']}"
        f"{'' if row['is_active'] else ', off'}"
        for row in rows[:RULES_SHOWN_MAX]
    ]
    structured = {"rules": rows[:RULES_SHOWN_MAX], "more": max(len(rows) - RULES_SHOWN_MAX, 0)}
    return Said(count(len(rows), "alert rule"), lines), structured


def _row(known: KnownRule, problem: str | None) -> dict[str, Any]:
    rule = known.rule
    row = {
        "name": rule.name,
        "signal": rule.signal,
        "severity": rule.severity,
        "is_active": rule.is_active,
        "origin": known.origin,
    }
    return row if problem is None else {**row, "problem": problem}


def _one(headline: str, rule: Rule) -> _Answer:
    from contextframe_monitoring.core.rule_tables import shown_table

    return Said(headline, []), {"rule": shown_table(rule)}


def _backtested(
    monitor: Monitor, name: str | None, rule: dict[str, Any] | None, since: str
) -> _Answer:
    meant = rule if rule is not None else _given("name", name, "backtest without a rule")
    found = monitor.alerts.backtest(meant, since)
    fired = count(found.fired, "time")
    return Said(f"it would have fired {fired}", []), structure(_cut(found))


def _cut(found: BackTest) -> BackTest:
    more = max(len(found.firings) - FIRINGS_SHOWN_MAX, 0)
    firings = found.firings[:FIRINGS_SHOWN_MAX]
    return found.model_copy(update={"firings": firings, "more": found.more + more})
