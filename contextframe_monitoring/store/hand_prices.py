"""Rates given by hand in a `PricingConfig`, as rules: the strongest layer, valid at any time."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from contextframe_monitoring.core.model_names import canonical_provider
from contextframe_monitoring.core.price_history import ALWAYS, Entry, Variant
from contextframe_monitoring.core.prices import Rate
from contextframe_monitoring.core.pricing_config import (
    BandwidthPricing,
    LLMPricing,
    PricingConfig,
    StoragePricing,
    rate_usd,
)
from contextframe_monitoring.core.service_prices import ServiceEntry, ServiceKind
from contextframe_monitoring.store.price_rules import ModelRule, PriceRules

_KEYS: Final = {
    "input_per_mtok": "input_mtok",
    "output_per_mtok": "output_mtok",
    "cache_read_per_mtok": "cache_read_mtok",
    "cache_write_5m_per_mtok": "cache_write_mtok",
    "cache_write_1h_per_mtok": "cache_write_1h_mtok",
    "reasoning_per_mtok": "output_reasoning_mtok",
    "web_search_per_thousand": "web_searches_kcount",
    "request_per_thousand": "requests_kcount",
}
_BATCH_KEYS: Final = {"batch_input_per_mtok": "input_mtok", "batch_output_per_mtok": "output_mtok"}
_SOURCE: Final = "PricingConfig"


def hand_rules(config: PricingConfig) -> PriceRules:
    """Return the rates of a configuration as a layer; empty when it gives none."""
    return PriceRules(
        name="config",
        models=tuple(_model(name.lower(), one) for name, one in config.llm_pricing.items()),
        services=(*_storage(config.storage_pricing), *_bandwidth(config.bandwidth_pricing)),
    )


def _model(name: str, pricing: LLMPricing) -> ModelRule:
    batch = _rates(pricing, _BATCH_KEYS)
    covers = name if pricing.provider is None else f"{pricing.provider}/{name}"
    entry = Entry(
        price_id=f"config:{covers}",
        source=_SOURCE,
        checked=None,
        origin=_SOURCE,
        covers=covers,
        rates=_rates(pricing, _KEYS),
        variants=(Variant(when=(("processing", "batch"),), rates=batch),) if batch else (),
    )
    return ModelRule(provider=canonical_provider(pricing.provider), patterns=(name,), what=entry)


def _rates(pricing: LLMPricing, keys: dict[str, str]) -> dict[str, Rate]:
    given = ((key, getattr(pricing, name)) for name, key in keys.items())
    return {key: Rate(value) for key, value in given if value is not None}


def _storage(pricing: StoragePricing | None) -> tuple[ServiceEntry, ...]:
    if pricing is None:
        return ()
    names = ("read", "write", "delete", "month")
    rates = tuple(
        (f"{name}_gb", rate_usd(name, getattr(pricing, f"{name}_per_gb"))) for name in names
    )
    return (_service("storage", rates),)


def _bandwidth(pricing: BandwidthPricing | None) -> tuple[ServiceEntry, ...]:
    if pricing is None:
        return ()
    names = ("egress", "ingress")
    rates = tuple(
        (f"{name}_gb", rate_usd(name, getattr(pricing, f"{name}_per_gb"))) for name in names
    )
    return (_service("bandwidth", rates),)


def _service(kind: ServiceKind, rates: tuple[tuple[str, Decimal], ...]) -> ServiceEntry:
    return ServiceEntry(
        kind=kind,
        names=("*",),
        price_id=f"config:{kind}",
        source=_SOURCE,
        checked=None,
        origin=_SOURCE,
        rates=rates,
        span=ALWAYS,
    )
