"""Rates by hand: exact whatever they were typed as, refused by name when they cannot be."""

from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.pricing_config import (
    BandwidthPricing,
    LLMPricing,
    PricingConfig,
    StoragePricing,
)


def test_a_rate_is_what_was_typed() -> None:
    pricing = LLMPricing(input_per_mtok=0.1, output_per_mtok="2.50", cache_read_per_mtok=1)
    assert (pricing.input_per_mtok, pricing.output_per_mtok, pricing.cache_read_per_mtok) == (
        Decimal("0.1"),
        Decimal("2.50"),
        Decimal(1),
    )
    assert pricing.reasoning_per_mtok is None


def test_the_defaults_are_those_of_the_original() -> None:
    storage, bandwidth = StoragePricing(), BandwidthPricing()
    assert (storage.read_per_gb, storage.write_per_gb, storage.month_per_gb) == (
        Decimal("0.01"),
        Decimal("0.02"),
        Decimal("0.023"),
    )
    assert (bandwidth.egress_per_gb, bandwidth.ingress_per_gb) == (Decimal("0.09"), 0)
    assert (dict(PricingConfig().llm_pricing), PricingConfig().storage_pricing) == ({}, None)


@pytest.mark.parametrize("value", [-1, "x", True, float("nan"), "Infinity", 10**7, [], b"1"])
def test_a_rate_that_cannot_be_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidError) as caught:
        LLMPricing(input_per_mtok=1, output_per_mtok=value)
    assert str(caught.value) == (
        f"output_per_mtok = {value!r} is not allowed: a price in USD from 0 to 1000000"
    )


def test_models_are_named_and_priced_or_refused() -> None:
    with pytest.raises(InvalidError, match=r"^llm_pricing = '' is not allowed"):
        PricingConfig(llm_pricing={"": LLMPricing(input_per_mtok=1, output_per_mtok=1)})
    with pytest.raises(
        InvalidError, match=r"^llm_pricing\['m'\] = 3 is not allowed: an LLMPricing"
    ):
        PricingConfig(llm_pricing={"m": 3})


def test_a_configuration_is_frozen_and_takes_a_path_as_text() -> None:
    given = {"m": LLMPricing(input_per_mtok=1, output_per_mtok=1)}
    config = PricingConfig(llm_pricing=given)
    given.clear()
    assert list(config.llm_pricing) == ["m"]
    assert PricingConfig.from_path("prices").path == Path("prices")
