"""Storage, bandwidth, compute and upstream calls cost what a dated list says, or are unknown."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.pricing_config import (
    BandwidthPricing,
    PricingConfig,
    StoragePricing,
)
from contextframe_monitoring.core.service_prices import GB_BYTES
from contextframe_monitoring.store.catalogue import Catalogue, microseconds

NOW_US = microseconds(datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return Catalogue()


@pytest.mark.parametrize(
    ("kind", "operation", "quantity", "name", "expected"),
    [
        ("storage", "read", GB_BYTES, "default", "0.01"),
        ("storage", "write", 2 * GB_BYTES, "s3", "0.04"),
        ("storage", "delete", GB_BYTES, "default", "0"),
        ("storage", "month", GB_BYTES, "default", "0.023"),
        ("storage", "month", Decimal("0.5") * GB_BYTES, "default", "0.0115"),
        ("bandwidth", "egress", 10 * GB_BYTES, "default", "0.9"),
        ("bandwidth", "ingress", 10 * GB_BYTES, "default", "0"),
        ("compute", "second", 3_600, "default", "0.04048"),
        ("compute", "second", 0.5, "lambda", "0.00000833335"),
        ("api", "call", 12, "openfda/device/510k", "0"),
        ("api", "call", 3, "Perplexity-Search", "0.015"),
        ("api", "call", 3, "never-heard-of", None),
    ],
)
def test_storage_bandwidth_compute_and_calls_are_priced(
    shipped: Catalogue, kind: str, operation: str, quantity: object, name: str, expected: str | None
) -> None:
    cost = shipped.service_cost(kind, operation, quantity, NOW_US, name)
    assert cost.amount_usd == (None if expected is None else Decimal(expected))
    assert (cost.reason is None) is (expected is not None)


def test_services_by_hand_and_of_the_user_win(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[storage]]\nnames = ["s3"]\nfrom = 2026-01-01\nsource = "bill"\nchecked = 2026-01-02\n'
        "read_gb = 1\n",
        encoding="utf-8",
    )
    catalogue = Catalogue(PricingConfig(path=tmp_path, bandwidth_pricing=BandwidthPricing()))
    assert catalogue.service_cost("storage", "read", GB_BYTES, NOW_US, "s3").amount_usd == 1
    assert catalogue.service_cost("storage", "write", GB_BYTES, NOW_US, "s3").price_id == (
        "pricing/storage.toml:storage/*@2020-01-01#write"
    )
    egress = catalogue.service_cost("bandwidth", "egress", GB_BYTES, NOW_US)
    assert (egress.amount_usd, egress.price_id) == (Decimal("0.09"), "config:bandwidth#egress")


@pytest.mark.parametrize("quantity", [-1, float("nan"), True, "7", 10**30])
def test_a_quantity_that_cannot_be_is_refused(shipped: Catalogue, quantity: object) -> None:
    with pytest.raises(InvalidError, match=r"^quantity = "):
        shipped.service_cost("storage", "read", quantity, NOW_US)


def test_an_operation_that_a_service_does_not_have_is_refused(shipped: Catalogue) -> None:
    with pytest.raises(InvalidError) as caught:
        shipped.service_cost("storage", "append", 1, NOW_US)
    assert str(caught.value) == (
        "storage operation = 'append' is not allowed: one of read, write, delete, month"
    )


def test_the_defaults_by_hand_are_those_of_the_files(shipped: Catalogue) -> None:
    by_hand = Catalogue(
        PricingConfig(storage_pricing=StoragePricing(), bandwidth_pricing=BandwidthPricing())
    )
    for kind, operations in (
        ("storage", ("read", "write", "delete", "month")),
        ("bandwidth", ("egress", "ingress")),
    ):
        for operation in operations:
            ours = shipped.service_cost(kind, operation, GB_BYTES, NOW_US)
            theirs = by_hand.service_cost(kind, operation, GB_BYTES, NOW_US)
            assert ours.amount_nano_usd == theirs.amount_nano_usd, operation


def test_a_service_price_is_that_of_the_time_and_of_the_most_exact_name(tmp_path: Path) -> None:
    entry = (
        '[[api]]\nnames = ["{name}"]\nfrom = {start}\nsource = "bill"\n'
        "checked = 2026-01-02\n{rate}\n"
    )
    (tmp_path / "own.toml").write_text(
        entry.format(name="sms*", start="2026-01-01", rate="call = 0.01")
        + entry.format(name="sms*", start="2026-06-01", rate="kcall = 7")
        + entry.format(name="sms/de", start="2026-02-01", rate="call = 0.05"),
        encoding="utf-8",
    )
    catalogue = Catalogue(PricingConfig(path=tmp_path))

    def cost(name: str, month: int) -> Decimal | None:
        at_us = microseconds(datetime(2026, month, 1, tzinfo=UTC))
        return catalogue.service_cost("api", "call", 1, at_us, name).amount_usd

    found = [cost("sms/fr", 1), cost("sms/de", 1), cost("sms/de", 2), cost("SMS/fr", 6)]
    assert found == [Decimal("0.01"), Decimal("0.01"), Decimal("0.05"), Decimal("0.007")]
    at_us = microseconds(datetime(2025, 12, 31, tzinfo=UTC))
    assert catalogue.service_cost("api", "call", 1, at_us, "sms/de").reason == (
        "no api price for call of 'sms/de' holds at that time"
    )
