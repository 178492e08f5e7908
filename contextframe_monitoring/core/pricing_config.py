"""Where prices come from: one's own files, rates given by hand, or what this package ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.token_usage import check_name

RATE_MAX = Decimal(1_000_000)
"""USD per listed unit; more than this is a mistake of the hand that wrote it."""

Amount = Decimal | int | str | float
"""A rate as people write it; a float is read by its shortest spelling (0.1 is one tenth)."""


def rate_usd(name: str, value: object) -> Decimal:
    """Return a rate as an exact Decimal, 0 or more; `InvalidError` names it otherwise."""
    rate = None
    if isinstance(value, (Decimal, int, str, float)) and not isinstance(value, bool):
        try:
            rate = Decimal(repr(value) if isinstance(value, float) else value)
        except InvalidOperation:
            rate = None
    if rate is None or not rate.is_finite() or not 0 <= rate <= RATE_MAX:
        raise InvalidError(name, value, f"a price in USD from 0 to {RATE_MAX}")
    return rate


class _RatesByHand:
    """Turns every amount of a frozen dataclass into a Decimal, None staying None (unknown)."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:  # type: ignore[attr-defined]
            value = getattr(self, name)
            if name == "provider":
                if value is not None:
                    check_name(name, value)
            elif value is not None:
                object.__setattr__(self, name, rate_usd(name, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMPricing(_RatesByHand):
    """One model's own rates in USD; what is None costs what the wider rate says (cache: input).

    `provider` None means: whoever served the model.
    """

    input_per_mtok: Amount
    output_per_mtok: Amount
    cache_read_per_mtok: Amount | None = None
    cache_write_5m_per_mtok: Amount | None = None
    cache_write_1h_per_mtok: Amount | None = None
    reasoning_per_mtok: Amount | None = None
    web_search_per_thousand: Amount | None = None
    request_per_thousand: Amount | None = None
    batch_input_per_mtok: Amount | None = None
    batch_output_per_mtok: Amount | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePricing(_RatesByHand):
    """USD per GB (2**30 bytes), `month`: kept for one; defaults as in `pricing/storage.toml`."""

    read_per_gb: Amount = Decimal("0.01")
    write_per_gb: Amount = Decimal("0.02")
    delete_per_gb: Amount = Decimal(0)
    month_per_gb: Amount = Decimal("0.023")


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthPricing(_RatesByHand):
    """USD per GB (2**30 bytes) sent and received. The defaults are `pricing/bandwidth.toml`'s."""

    egress_per_gb: Amount = Decimal("0.09")
    ingress_per_gb: Amount = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingConfig:
    """What a cost calculator prices with. What is not given here is looked up in the catalogue.

    `llm_pricing` maps a model name or pattern (`my-model`, `acme-*`) to its rates and wins over
    everything; `path` is a price file or a folder of them (`pricing_config_path`) and wins over
    what the package ships.
    """

    llm_pricing: Mapping[str, LLMPricing] = field(default_factory=dict)
    storage_pricing: StoragePricing | None = None
    bandwidth_pricing: BandwidthPricing | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        """Check the names and freeze the mapping."""
        for model, pricing in self.llm_pricing.items():
            check_name("llm_pricing", model)
            if not isinstance(pricing, LLMPricing):
                raise InvalidError(f"llm_pricing[{model!r}]", pricing, "an LLMPricing")
        object.__setattr__(self, "llm_pricing", MappingProxyType(dict(self.llm_pricing)))
        if self.path is not None:
            object.__setattr__(self, "path", Path(self.path))

    @classmethod
    def from_path(cls, path: str | Path) -> PricingConfig:
        """Take prices from a file or folder of one's own; it is read when the catalogue opens."""
        return cls(path=Path(path))
