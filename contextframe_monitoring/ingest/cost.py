"""`CostCalculator`: what an application spent on models, storage, bandwidth, compute and upstream
calls.

Every call returns the cost as an exact Decimal of USD, None when the price is unknown: unknown is
never 0. The fact is recorded either way, with its tokens, so that it can be priced later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.money import nano_usd, usd
from contextframe_monitoring.core.priced_by import (
    TOKEN_COLUMNS,
    PricedBy,
    with_details,
    with_priced_by,
)
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import CostRecord, Provenance
from contextframe_monitoring.core.response_usage import response_usage
from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.ingest.cost_dimensions import CostDimensions
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.recorder import Recorder

if TYPE_CHECKING:
    from contextframe_monitoring.core.prices import Cost
    from contextframe_monitoring.store.catalogue import Catalogue

SOURCE = "api"
STORAGE_OPERATIONS = ("read", "write", "delete")


class CostReports(Protocol):
    """What answers `get_cost_report`: the read path, given by the composition root."""

    async def cost_report(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str
    ) -> Any:
        """Return the costs between two times."""
        ...


class CostCalculator:
    """Prices and records what was used. Raises `InvalidError` for an argument that is not
    allowed.
    """

    def __init__(
        self,
        pricing_config: PricingConfig | None = None,
        *,
        recorder: Recorder | None = None,
        origins: Origins | None = None,
        config: MonitoringConfig | None = None,
        clock: Clock | None = None,
        reports: CostReports | None = None,
    ) -> None:
        """`pricing_config` alone makes a calculator that prices and records nothing;
        `Monitor.open` gives the rest.
        """
        settings = config or MonitoringConfig()
        self.pricing_config = pricing_config or _pricing_of(settings)
        self.llm_pricing = self.pricing_config.llm_pricing
        self.storage_pricing = self.pricing_config.storage_pricing
        self._recorder = recorder or Recorder(None)
        self._dimensions = CostDimensions(
            origins or Origins(settings), settings.text_chars_max, clock or _system_clock()
        )
        self._reports = reports
        self._opened: Catalogue | None = None

    async def track_llm_usage(
        self,
        provider: str,
        model: str,
        input_tokens: int,
        output_tokens: int,
        operation_id: str | None = None,
        agent_id: str | None = None,
        *,
        cache_read_tokens: int = 0,
        cache_write_5m_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        reasoning_tokens: int = 0,
        web_searches: int = 0,
        batch: bool = False,
        service_tier: str | None = None,
        reported_cost_usd: Decimal | float | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record one call of a model.

        `input_tokens` are the uncached ones, cache tokens come beside them; `reasoning_tokens` lie
        inside `output_tokens`. Further keywords: `purpose`, `feature`, `user_tier`, `user_id`,
        `session_id`, `attributes`, `metadata`, `fact_id`, `at` (a datetime, now by default).
        """
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_5m_tokens=cache_write_5m_tokens,
            cache_write_1h_tokens=cache_write_1h_tokens,
            reasoning_tokens=reasoning_tokens,
            web_searches=web_searches,
            batch=batch,
            service_tier=service_tier,
        )
        record = await self.track_usage(
            provider,
            model,
            usage,
            operation_id=operation_id,
            agent_id=agent_id,
            reported_cost_usd=reported_cost_usd,
            **dimensions,
        )
        return _dollars(record)

    async def track_response(
        self,
        body: Mapping[str, Any] | str | bytes,
        provider: str | None = None,
        *,
        model: str | None = None,
        operation_id: str | None = None,
        agent_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record one call of a model by the raw body of its answer (Anthropic, OpenAI and whoever
        speaks its dialect, Gemini).

        `provider` and `model` win over what the body says; a body without usage is a call of
        unknown cost. Nothing but counts and names is read.
        """
        found = response_usage(body, provider, model)
        record = await self.track_usage(
            found.provider,
            found.model,
            found.usage,
            operation_id=operation_id or found.response_id,
            agent_id=agent_id,
            reported_cost_usd=found.reported_cost_usd,
            **dimensions,
        )
        return _dollars(record)

    async def track_usage(
        self,
        provider: str,
        model: str,
        usage: Usage | None,
        *,
        operation_id: str | None = None,
        agent_id: str | None = None,
        reported_cost_usd: Decimal | float | None = None,
        **dimensions: Any,
    ) -> CostRecord:
        """Record one call of a model and return what was recorded; `usage` None is unknown.

        A cost that the caller was told is kept beside the computed one, and stands for it
        (provenance `reported`) where there is no price.
        """
        facts = self._dimensions.columns(dimensions, agent_id, operation_id)
        reported = None
        if reported_cost_usd is not None:
            reported = nano_usd(reported_cost_usd, "reported_cost_usd", minimum=0)
        columns: dict[str, Any] = {}
        cost: Cost | None = None
        if usage is not None:
            cost = (await self._catalogue()).cost(provider, model, usage, facts["time_us"])
            columns = {name: getattr(usage, name) for name in TOKEN_COLUMNS}
            columns["units"] = usage.context_tokens + usage.output_tokens
            facts["metadata"] = with_priced_by(facts["metadata"], usage)
        return self._record(
            cost,
            facts,
            cost_type="llm",
            provider=bounded_name(arguments.text("provider", provider)),
            model=bounded_name(arguments.text("model", model)),
            operation="completion",
            reported_nano_usd=reported,
            **columns,
        )

    async def track_storage_usage(
        self,
        operation: str,
        size_bytes: int,
        agent_id: str | None = None,
        *,
        service: str = "default",
        operation_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record bytes read from, written to or deleted from a storage (`operation`: read, write,
        delete).
        """
        return await self._service(
            "storage",
            arguments.choice("operation", operation, STORAGE_OPERATIONS),
            arguments.count("size_bytes", size_bytes),
            service,
            self._dimensions.columns(dimensions, agent_id, operation_id),
        )

    async def track_bandwidth_usage(
        self,
        direction: str,
        size_bytes: int,
        agent_id: str | None = None,
        *,
        service: str = "default",
        operation_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record bytes that left (`direction` egress) or came in (ingress)."""
        return await self._service(
            "bandwidth",
            arguments.choice("direction", direction, ("egress", "ingress")),
            arguments.count("size_bytes", size_bytes),
            service,
            self._dimensions.columns(dimensions, agent_id, operation_id),
        )

    async def track_compute_usage(
        self,
        seconds: float,
        agent_id: str | None = None,
        *,
        service: str = "default",
        operation_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record seconds of compute."""
        return await self._service(
            "compute",
            "second",
            arguments.number("seconds", seconds, 0),
            service,
            self._dimensions.columns(dimensions, agent_id, operation_id),
        )

    async def track_api_cost(
        self,
        service: str,
        calls: int = 1,
        agent_id: str | None = None,
        *,
        operation_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal | None:
        """Record calls of an upstream API, priced by call."""
        return await self._service(
            "api",
            "call",
            arguments.count("calls", calls),
            arguments.text("service", service),
            self._dimensions.columns(dimensions, agent_id, operation_id),
        )

    def track_known_cost(
        self,
        service: str,
        operation: str,
        cost: Decimal | float,
        *,
        tokens_input: int | None = None,
        tokens_output: int | None = None,
        agent_id: str | None = None,
        operation_id: str | None = None,
        **dimensions: Any,
    ) -> Decimal:
        """Record a cost that the caller knows, in USD; it is `reported`, not computed."""
        facts = self._dimensions.columns(dimensions, agent_id, operation_id)
        amount = nano_usd(cost)
        tokens: dict[str, Any] = {
            "input_tokens": arguments.optional_count("tokens_input", tokens_input),
            "output_tokens": arguments.optional_count("tokens_output", tokens_output),
        }
        known = [count for count in tokens.values() if count is not None]
        self._recorder.record(
            CostRecord(
                cost_type="llm" if known else "service",
                provider=bounded_name(arguments.text("service", service)),
                operation=bounded_name(arguments.text("operation", operation)),
                amount_nano_usd=amount,
                reported_nano_usd=amount,
                provenance="reported",
                source=SOURCE,
                units=sum(known) if known else None,
                **tokens,
                **facts,
            )
        )
        return usd(amount)

    async def get_cost_report(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str = "agent"
    ) -> Any:
        """Return the costs between two times by agent, operation, model or another key
        (`core.reports.CostReport`).
        """
        if self._reports is None:
            raise RuntimeError("this calculator was not made by Monitor.open: it can't report")
        return await self._reports.cost_report(start_time, end_time, group_by)

    async def _catalogue(self) -> Catalogue:
        """Open the prices in a thread, once: the first look into the catalogue takes a while."""
        if self._opened is None:
            import anyio.to_thread

            await anyio.to_thread.run_sync(self.open_catalogue)
        return self.open_catalogue()

    def open_catalogue(self) -> Catalogue:
        """Return the prices, read when they are first asked for. Raises `PriceFileError`."""
        if self._opened is None:
            from contextframe_monitoring.store.catalogue import Catalogue

            self._opened = Catalogue(self.pricing_config)
        return self._opened

    async def _service(
        self, kind: Any, operation: str, quantity: float, service: str, facts: dict[str, Any]
    ) -> Decimal | None:
        cost = (await self._catalogue()).service_cost(
            kind, operation, quantity, facts["time_us"], name=service
        )
        if quantity != round(quantity):
            facts["metadata"] = with_details(facts["metadata"], PricedBy(quantity=quantity))
        record = self._record(
            cost,
            facts,
            cost_type=kind,
            provider=bounded_name(service),
            operation=operation,
            units=round(quantity),
        )
        return _dollars(record)

    def _record(self, cost: Cost | None, facts: dict[str, Any], **columns: Any) -> CostRecord:
        amount = None if cost is None else cost.amount_nano_usd
        provenance: Provenance | None = None if amount is None else "computed"
        if amount is None and columns.get("reported_nano_usd") is not None:
            amount, provenance = columns["reported_nano_usd"], "reported"
        record = CostRecord(
            amount_nano_usd=amount,
            provenance=provenance,
            price_id=None if cost is None else cost.price_id,
            source=SOURCE,
            **columns,
            **facts,
        )
        self._recorder.record(record)
        return record


def _dollars(record: CostRecord) -> Decimal | None:
    return None if record.amount_nano_usd is None else usd(record.amount_nano_usd)


def _pricing_of(config: MonitoringConfig) -> PricingConfig:
    path = config.pricing_config_path
    return PricingConfig() if path is None else PricingConfig.from_path(path)


def _system_clock() -> Clock:
    from contextframe_monitoring.store.machine import SystemClock

    return SystemClock()
