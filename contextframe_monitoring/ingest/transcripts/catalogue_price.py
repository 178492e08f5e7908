"""What the price catalogue says a transcript's call cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.ingest.transcripts.settlement import Price
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact

if TYPE_CHECKING:
    from contextframe_monitoring.store.catalogue import Catalogue


def catalogue_price(catalogue: Catalogue) -> Price:
    """Return what prices a fact at the time of its call; None where there is no price."""

    def price(fact: UsageFact) -> tuple[int | None, str | None]:
        if fact.model is None:
            return None, None
        usage = Usage(
            input_tokens=fact.input_tokens,
            cache_read_tokens=fact.cache_read_tokens,
            cache_write_5m_tokens=fact.cache_write_5m_tokens,
            cache_write_1h_tokens=fact.cache_write_1h_tokens,
            output_tokens=fact.output_tokens,
            reasoning_tokens=fact.reasoning_tokens or 0,
            web_searches=fact.web_searches,
            service_tier=fact.service_tier,
            speed=fact.speed,
        )
        cost = catalogue.cost(fact.provider, fact.model, usage, fact.time_us)
        return cost.amount_nano_usd, cost.price_id

    return price
