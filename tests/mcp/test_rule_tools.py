"""The tool of the admin toolset as an agent sees it, and how toolsets are chosen."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.tokens import estimate_tokens
from contextframe_monitoring.mcp.rule_tools import RULE_TOOL_NAMES
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.mcp.tools import TOOL_NAMES
from contextframe_monitoring.mcp.toolsets import toolsets_of
from tests.processes import free_port, listens, run, started, until

ERAS = ["auto", "legacy"]
TOKENS_OF_ALL_MAX = 3_000
RULE = {"name": "many errors", "signal": "error_count", "threshold": 3, "window": "1h"}


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Monitor]:
    """A monitor whose agents may only look at rules."""
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False) as monitor:
        yield monitor


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Monitor]:
    may = ["change_rules"]
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False, agent_may=may) as monitor:
        yield monitor


async def manage(monitor: Monitor, action: str, **arguments: Any) -> Any:
    server = build_server(monitor, ("default", "admin"))
    async with Client(server) as client:
        return await client.call_tool("manage_alert_rules", {"action": action, **arguments})


def text(result: Any) -> str:
    return str(result.content[0].text).removeprefix("Error executing tool manage_alert_rules: ")


@pytest.mark.requirement("alerts:rules:tools")
async def test_rules_are_made_changed_switched_and_deleted(admin: Monitor) -> None:
    made = await manage(admin, "create", rule=RULE)
    assert text(made) == "many errors is made"
    changed = await manage(admin, "update", name="many errors", rule={"threshold": 5})
    assert changed.structured_content["rule"] == {**RULE, "threshold": 5.0}
    assert text(await manage(admin, "disable", name="many errors")) == "many errors is off"
    assert text(await manage(admin, "enable", name="many errors")) == "many errors is on"
    got = await manage(admin, "get", name="many errors")
    assert got.structured_content == {"rule": {**RULE, "threshold": 5.0}, "origin": "state"}
    deleted = await manage(admin, "delete", name="many errors")
    assert deleted.structured_content == {"deleted": "many errors"}
    assert "many errors" not in admin.alerts.rule_desk.rules()
    audited = [(one.action, one.door) for one in admin.alerts.desk.audit()]
    assert audited == [
        ("rule.delete", "tool"),
        ("rule.update", "tool"),
        ("rule.update", "tool"),
        ("rule.update", "tool"),
        ("rule.create", "tool"),
    ]


async def test_a_changed_default_comes_back_when_the_change_is_deleted(admin: Monitor) -> None:
    listed = await manage(admin, "list")
    name = listed.structured_content["rules"][0]["name"]
    assert listed.structured_content["rules"][0]["origin"] == "default"
    await manage(admin, "disable", name=name)
    assert text(await manage(admin, "delete", name=name)) == (
        f"{name} is deleted; the one of the default is back"
    )


@pytest.mark.parametrize("action", ["create", "update", "enable", "disable", "delete"])
async def test_an_agent_without_the_right_changes_no_rule(reader: Monitor, action: str) -> None:
    result = await manage(reader, action, name="many errors", rule=RULE)
    assert result.is_error
    assert text(result).startswith("action = 'change_rules' is not allowed: agents may acknowledge")
    assert f"`contextframe-monitoring alerts rules {action} ...`" in text(result)
    assert reader.alerts.desk.audit() == []


async def test_an_agent_tries_a_rule_before_it_asks_for_it(reader: Monitor) -> None:
    for _ in range(4):
        reader.performance.start_operation("op", "tool_call", target="add")
        reader.performance.end_operation("op", "error")
    valid = await manage(reader, "validate", rule=RULE)
    assert valid.structured_content["rule"] == {**RULE, "threshold": 3.0}
    tried = await manage(reader, "backtest", rule=RULE, since="1h")
    assert text(tried) == "it would have fired 1 time"
    assert [one["worst_value"] for one in tried.structured_content["firings"]] == [4.0]
    assert reader.alerts.rule_desk.rules().get("many errors") is None


@pytest.mark.parametrize(
    ("action", "arguments", "message"),
    [
        ("validate", {"rule": {**RULE, "signal": "luck"}}, "signal = 'luck' is not allowed"),
        ("validate", {"rule": {**RULE, "treshold": 1}}, "did you mean 'threshold'?"),
        ("validate", {}, "rule = None is not allowed: validate needs it"),
        ("get", {}, "name = None is not allowed: get needs it"),
        ("get", {"name": "none such"}, "alert rule 'none such' does not exist"),
        ("backtest", {"rule": RULE, "since": "soon"}, "since = 'soon' is not allowed"),
        ("validate", {"rule": {str(n): n for n in range(41)}}, "at most 40 items"),
        ("guess", {}, "'validate'"),
    ],
)
async def test_a_wrong_request_is_answered_with_what_is_allowed(
    reader: Monitor, action: str, arguments: dict[str, Any], message: str
) -> None:
    result = await manage(reader, action, **arguments)
    assert result.is_error
    assert message in text(result)


async def test_addresses_in_rules_are_not_told(admin: Monitor) -> None:
    channel = {"type": "webhook", "url": "https://example.org/secret-token"}
    await manage(admin, "create", rule={**RULE, "channels": [channel]})
    for action in ("get", "list"):
        result = await manage(admin, action, name="many errors")
        assert "secret-token" not in json.dumps(result.structured_content)


@pytest.mark.parametrize("era", ERAS)
async def test_the_default_set_is_small_and_more_is_turned_on(reader: Monitor, era: Any) -> None:
    sizes = {}
    for wanted in (("default",), ("default", "admin")):
        async with Client(build_server(reader, wanted), mode=era) as client:
            tools = (await client.list_tools()).tools
        definitions = [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]
        sizes[wanted] = sum(estimate_tokens(json.dumps(one)) for one in definitions)
        more = RULE_TOOL_NAMES if "admin" in wanted else ()
        assert {tool.name for tool in tools} == {*TOOL_NAMES, *more}
    assert sizes["default",] <= 2_500
    assert sizes["default", "admin"] <= TOKENS_OF_ALL_MAX


def test_toolsets_are_a_list_and_the_default_one_is_always_there() -> None:
    assert toolsets_of(None) == ("default",)
    assert toolsets_of("") == ("default",)
    assert toolsets_of("admin") == ("default", "admin")
    assert toolsets_of(" admin , default") == ("default", "admin")
    assert toolsets_of("all") == ("default", "admin")
    with pytest.raises(InvalidError) as refused:
        toolsets_of("admin,root")
    assert str(refused.value) == (
        "--toolsets = 'root' is not allowed: expected a comma list of default, admin, all"
    )


@pytest.mark.parametrize("more", [[], ["--http", "127.0.0.1:1"]])
def test_an_unknown_toolset_ends_serve_at_once(tmp_path: Path, more: list[str]) -> None:
    done = run("serve", "--toolsets", "root", "--store", str(tmp_path / "store"), *more)
    assert done.returncode == 2
    assert "--toolsets = 'root' is not allowed" in done.stderr


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_serve_turns_toolsets_on(tmp_path: Path, transport: str) -> None:
    options = ["--toolsets", "admin", "--store", str(tmp_path / "store")]
    if transport == "stdio":
        command = ["-m", "contextframe_monitoring", "serve", *options]
        target: Any = StdioServerParameters(command=sys.executable, args=command)
        assert await names(target) == {*TOOL_NAMES, *RULE_TOOL_NAMES}
        return
    port = free_port()
    with started("serve", "--http", f"127.0.0.1:{port}", *options):
        until(lambda: listens(port))
        assert await names(f"http://127.0.0.1:{port}/mcp") == {*TOOL_NAMES, *RULE_TOOL_NAMES}


async def names(target: Any) -> set[str]:
    async with Client(target) as client:
        return {tool.name for tool in (await client.list_tools()).tools}
