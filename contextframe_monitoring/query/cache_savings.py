"""What a cache saved, at the prices of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.money import NANO_PER_USD, usd
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.core.token_usage import NAME_CHARS_MAX, Usage
from contextframe_monitoring.query.cost import CacheUse
from contextframe_monitoring.store.catalogue import Catalogue, microseconds

_SAMPLE_TOKENS = 1_000
"""A price is asked for a call of this size: sums of a day would seem to be one call with a large
context, which has another price. The result is exact to a nano-dollar in a thousand tokens."""
_RATES_MAX = 4_096
_CALLS = (
    Usage(requests=0, input_tokens=_SAMPLE_TOKENS),
    Usage(requests=0, cache_read_tokens=_SAMPLE_TOKENS),
    Usage(requests=0, cache_write_5m_tokens=_SAMPLE_TOKENS),
    Usage(requests=0, cache_write_1h_tokens=_SAMPLE_TOKENS),
)

_Rates = tuple[int, ...]
"""Nano-dollars of `_SAMPLE_TOKENS` of input, cache read, 5-minute and 1-hour write."""


class CatalogueSavings:
    """A `query.cost.CacheSavings`. Prices are opened when the first cache use is to be priced."""

    def __init__(self, pricing_config_path: str | None) -> None:
        """Nothing is read yet."""
        self._path = pricing_config_path
        self._rates = lru_cache(_RATES_MAX)(self._rates_of)

    @cached_property
    def _catalogue(self) -> Catalogue | None:
        """A wrong price file leaves the savings unknown: it is `prices check` that names it."""
        path = self._path
        try:
            return Catalogue(PricingConfig() if path is None else PricingConfig.from_path(path))
        except MonitoringError:
            return None

    def __call__(self, use: CacheUse) -> Decimal | None:
        """Return the dollars saved against plain input, less what writing the cache cost more."""
        if not use.model or self._catalogue is None:
            return None
        if len(use.model) > NAME_CHARS_MAX or len(use.provider or "") > NAME_CHARS_MAX:
            return None
        counts = (use.cache_read_tokens, use.cache_write_5m_tokens, use.cache_write_1h_tokens)
        rates = self._rates(use.provider, use.model, use.day)
        if rates is None:
            return None
        plain, *cached = rates
        saved = sum(count * (plain - rate) for count, rate in zip(counts, cached, strict=True))
        return Decimal(saved) / (_SAMPLE_TOKENS * NANO_PER_USD)

    def input_cost(self, model: str | None, at_us: int) -> Callable[[int], Decimal | None]:
        """Return what prices plain input of a model (`provider/model`, or the model alone)."""

        def cost(tokens: int) -> Decimal | None:
            if not model or len(model) > NAME_CHARS_MAX or self._catalogue is None:
                return None
            usage = Usage(requests=0, input_tokens=_SAMPLE_TOKENS)
            amount = self._catalogue.cost(None, model, usage, at_us).amount_nano_usd
            return None if amount is None else usd(amount * tokens // _SAMPLE_TOKENS)

        return cost

    def _rates_of(self, provider: str | None, model: str, day: str) -> _Rates | None:
        """Return the rates at noon of the day; None unless all are known."""
        if self._catalogue is None:
            return None
        at_us = microseconds(datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC))
        found = []
        for call in _CALLS:
            amount = self._catalogue.cost(provider, model, call, at_us).amount_nano_usd
            if amount is None:
                return None
            found.append(amount)
        return tuple(found)
