"""Servers and tools: what was asked of them, how it ended, how long it took, how much came back."""

from __future__ import annotations

from examples.grafana import limits
from examples.grafana.expressions import (
    DURATIONS,
    NO_STREAM,
    OPERATIONS,
    PERIOD,
    REQUESTS,
    SERVER,
    failed_share,
    mean,
    quantile,
    share,
    total,
)
from examples.grafana.panels import Dashboard, Panel, Query
from examples.grafana.variables import SERVERS, STORES, TOOLS

_TIMED = f"{SERVER},{NO_STREAM}"
_CALLS = f'{SERVER},mcp_method_name="tools/call",gen_ai_tool_name=~"$tool"'
_COUNT = f"{DURATIONS}_count"
_BY_TOOL = "server, gen_ai_tool_name"
_TOOL = "{{server}} {{gen_ai_tool_name}}"
_OWN = "contextframe_monitoring_operation_duration_seconds"
_ASKED = "mcp_client_operation_duration_seconds"


def _in_range(metric: str, chosen: str) -> str:
    return total(metric, chosen, _BY_TOOL, over=PERIOD, function="increase")


_FAILED_CALLS = share(
    _in_range(_COUNT, f'{_CALLS},error_type!=""'), _in_range(_COUNT, _CALLS)
)  # a tool's counter has no status: who has an error type failed

_SERVERS = (
    Panel(
        title="Requests by method",
        text="Requests that came in",
        queries=[
            Query(
                total(OPERATIONS, f"{SERVER},{REQUESTS}", "server, mcp_method_name"),
                "{{server}} {{mcp_method_name}}",
            )
        ],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="How they ended",
        text="success, error, timeout, cancelled, or input required",
        queries=[Query(total(OPERATIONS, f"{SERVER},{REQUESTS}", "status"), "{{status}}")],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Failed by server",
        text="Errors and timeouts as a share of what ended",
        queries=[Query(failed_share(SERVER, "server"), "{{server}}")],
        unit="percentunit",
        limit=limits.FAILED_SHARE,
    ),
    Panel(
        title="p95 by server",
        text="95 of 100 requests took no longer",
        queries=[Query(quantile(0.95, DURATIONS, _TIMED, "server"), "{{server}}")],
        unit="s",
        limit=limits.P95_SECONDS,
    ),
    Panel(
        title="All durations",
        text="Requests in each bucket",
        queries=[
            Query(
                total(f"{DURATIONS}_bucket", _TIMED, "le", over="$__interval", function="increase"),
                "{{le}}",
            )
        ],
        kind="heatmap",
    ),
    Panel(
        title="Errors by type",
        text="A second",
        queries=[
            Query(
                total(_COUNT, f'{_TIMED},error_type!=""', "server, error_type"),
                "{{server}} {{error_type}}",
            )
        ],
        unit="reqps",
        stacked=True,
    ),
)

_TOOL_TABLE = Panel(
    title="Tools",
    text="In the time range; tokens of results are mostly estimated",
    queries=[
        Query(_in_range(_COUNT, _CALLS), "calls"),
        Query(_FAILED_CALLS, "failed", "percentunit"),
        Query(quantile(0.5, DURATIONS, _CALLS, _BY_TOOL, over=PERIOD), "p50", "s"),
        Query(quantile(0.95, DURATIONS, _CALLS, _BY_TOOL, over=PERIOD), "p95", "s"),
        Query(_in_range("contextframe_monitoring_result_tokens_total", _CALLS), "result tokens"),
    ],
    kind="table",
    width=24,
)
_TOOLS = (
    _TOOL_TABLE,
    Panel(
        title="Calls by tool",
        text="A second",
        queries=[Query(total(_COUNT, _CALLS, _BY_TOOL), _TOOL)],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="p95 by tool",
        text="95 of 100 calls took no longer",
        queries=[Query(quantile(0.95, DURATIONS, _CALLS, _BY_TOOL), _TOOL)],
        unit="s",
        limit=limits.P95_SECONDS,
    ),
    Panel(
        title="Failed calls by tool",
        text="A second, with the type of the error",
        queries=[
            Query(
                total(_COUNT, f'{_CALLS},error_type!=""', f"{_BY_TOOL}, error_type"),
                f"{_TOOL}: {{{{error_type}}}}",
            )
        ],
        unit="reqps",
    ),
    Panel(
        title="Result tokens by tool",
        text="A second, mostly estimated: what fills the context of agents",
        queries=[
            Query(total("contextframe_monitoring_result_tokens_total", _CALLS, _BY_TOOL), _TOOL)
        ],
        stacked=True,
    ),
    Panel(
        title="Request tokens by tool",
        text="A second, mostly estimated",
        queries=[
            Query(total("contextframe_monitoring_request_tokens_total", _CALLS, _BY_TOOL), _TOOL)
        ],
        stacked=True,
    ),
    Panel(
        title="Bytes by tool",
        text="JSON of requests and results",
        queries=[
            Query(
                total(f"contextframe_monitoring_{what}_size_bytes_total", _CALLS, _BY_TOOL),
                f"{what} {_TOOL}",
            )
            for what in ("request", "result")
        ],
        unit="Bps",
    ),
)

_OTHERS = (
    Panel(
        title="Prompts",
        text="A second, by prompt",
        queries=[
            Query(
                total(_COUNT, f'{SERVER},gen_ai_prompt_name!=""', "server, gen_ai_prompt_name"),
                "{{server}} {{gen_ai_prompt_name}}",
            )
        ],
        unit="reqps",
    ),
    Panel(
        title="What servers ask of their clients",
        text="Mean duration: sampling, elicitation, roots",
        queries=[
            Query(mean(_ASKED, _TIMED, "server, mcp_method_name"), "{{server}} {{mcp_method_name}}")
        ],
        unit="s",
    ),
    Panel(
        title="Operations of applications",
        text="p95 by type: what is no MCP message",
        queries=[
            Query(
                quantile(0.95, _OWN, SERVER, "server, operation_type"),
                "{{server}} {{operation_type}}",
            )
        ],
        unit="s",
    ),
)

DASHBOARD = Dashboard(
    name="servers",
    title="Servers and tools",
    text="What was asked of every server and tool, how it ended, how long it took.",
    variables=[STORES, SERVERS, TOOLS],
    rows={"Servers": _SERVERS, "Tools": _TOOLS, "Beside tools": _OTHERS},
)
