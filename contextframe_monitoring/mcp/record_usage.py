"""The tool by which agents report what they used of models themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from contextframe_monitoring.core.errors import MonitoringError, shown
from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.records import CostRecord, Origin
from contextframe_monitoring.core.sayings import usd as dollars
from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.mcp.agent import NOBODY, agent_of, client_of
from contextframe_monitoring.mcp.answers import answer
from contextframe_monitoring.monitor import Monitor

TOKENS_OF_A_CALL_MAX = 1_000_000_000
"""The largest context windows hold 10 million; an agent may report a day at once."""

_ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
Name = Annotated[str, Field(min_length=1, max_length=128)]
Label = Annotated[str | None, Field(max_length=128)]
Tokens = Annotated[int, Field(ge=0, le=TOKENS_OF_A_CALL_MAX, strict=True)]
Uncached = Annotated[
    int, Field(ge=0, le=TOKENS_OF_A_CALL_MAX, strict=True, description="without cached")
]
Told = Annotated[
    float | None,
    Field(ge=0, le=1_000_000, allow_inf_nan=False, strict=True, description="if you were told"),
]


class RecordedAnswer(BaseModel):
    """What was recorded."""

    model_config = ConfigDict(extra="allow", title="")

    cost_usd: float | None
    provenance: str | None


def add_record_usage(server: MCPServer, monitor: Monitor) -> None:
    """Register the tool with a server."""

    @server.tool(annotations=_ADDS)
    async def record_usage(
        ctx: Context,
        provider: Name,
        model: Name,
        input_tokens: Uncached = 0,
        output_tokens: Tokens = 0,
        cache_read_tokens: Tokens = 0,
        cache_write_tokens: Tokens = 0,
        cost_usd: Told = None,
        purpose: Label = None,
        feature: Label = None,
    ) -> Annotated[CallToolResult, RecordedAnswer]:
        """Record model tokens that you used yourself; answers what they cost."""
        _refuse_when_off(monitor)
        try:
            record = await monitor.cost.track_usage(
                provider,
                model,
                Usage(
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    cache_read_tokens=cache_read_tokens,
                    cache_write_5m_tokens=cache_write_tokens,
                ),
                reported_cost_usd=None if cost_usd is None else Decimal(repr(cost_usd)),
                purpose=purpose,
                feature=feature,
                origin=_origin(ctx, monitor),
            )
        except MonitoringError as error:
            raise ToolError(str(error)) from error
        return _said(record)


def _refuse_when_off(monitor: Monitor) -> None:
    for name in ("enabled", "track_costs"):
        if not getattr(monitor.config, name):
            raise ToolError(f"nothing is recorded: {name} is false in the configuration")


def _origin(ctx: Context, monitor: Monitor) -> Origin:
    """Return who used the tokens: not our own server, whose records stay out of reports."""
    known = ctx.session.client_params
    client = client_of({"name": known.client_info.name}) if known is not None else NOBODY
    agent_id, agent_source = agent_of(ctx.request_context, client)
    return Origin(
        server=monitor.config.server,
        environment=monitor.config.environment,
        agent_id=agent_id,
        agent_source=agent_source,
    )


def _said(record: CostRecord) -> CallToolResult:
    amount, told = record.amount_nano_usd, record.reported_nano_usd
    cost = None if amount is None else usd(amount)
    headline = f"{dollars(cost)} for {record.units or 0:,} tokens of {shown(record.model)}"
    if record.provenance == "reported":
        headline += " as you reported it: there is no price for this model"
    elif cost is None:
        headline += ": there is no price for it; recorded, to be priced later (prices reprice)"
    elif told is not None and told != amount:
        headline += f", you were told {dollars(usd(told))}"
    structured: dict[str, Any] = {
        "cost_usd": None if cost is None else float(cost),
        "provenance": record.provenance,
        "price_id": record.price_id,
        "tokens": record.units or 0,
        "agent": record.origin.agent_id,
    }
    return answer(headline, (), structured)
