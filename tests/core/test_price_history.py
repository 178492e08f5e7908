"""Which entry of which layer holds at the time of an event, and how a mode finds its rates."""

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.price_history import (
    DAY_US,
    WEEK_US,
    Entry,
    Factor,
    Layer,
    PriceHistory,
    Span,
    Variant,
    week_us,
)
from contextframe_monitoring.core.prices import Price, Rate, Unknown

BATCH = (("processing", "batch"),)


def entry(name: str, rate: object, start: int | None = None, **fields: object) -> Entry:
    return Entry(
        price_id=name,
        source=f"{name} list",
        checked=date(2026, 1, 1),
        origin=name,
        covers="acme/m",
        rates={} if rate is None else {"input_mtok": Rate(Decimal(str(rate)))},
        **{"span": Span(from_us=start), **fields},
    )


def factor(tokens: str, when: tuple = BATCH, **fields: object) -> Factor:
    return Factor(
        factor_id="half",
        source="half list",
        checked=date(2025, 1, 1),
        origin="half",
        when=when,
        tokens=Decimal(tokens),
        **fields,
    )


def history(*layers: Layer) -> PriceHistory:
    return PriceHistory(provider="acme", model="m", layers=layers)


def rate(past: PriceHistory, at_us: int, mode: tuple = ()) -> Decimal | None:
    found = past.price(at_us, mode)
    return found.rates["input_mtok"].base if isinstance(found, Price) else None


def test_the_upper_layer_wins_while_it_holds_and_the_lower_speaks_otherwise() -> None:
    upper = entry("upper", 2, 100, span=Span(from_us=100, until_us=200))
    past = history(
        Layer(name="own", entries=(upper,)),
        Layer(name="base", entries=(entry("old", 9), entry("new", 5, 150))),
    )
    assert [rate(past, at) for at in (-5, 99, 100, 199, 200)] == [9, 9, 2, 2, 5]
    assert [found.price_id for found in past.entries(160)] == ["upper", "new"]


def test_before_the_first_entry_the_price_is_unknown() -> None:
    past = history(Layer(name="own", entries=(entry("late", 2, 100),)))
    assert past.price(99) == Unknown(reason="no price of acme/m holds at that time")


def test_an_inheriting_entry_takes_what_it_does_not_name() -> None:
    upper = entry("upper", None, inherits=True, variants=(Variant(when=BATCH, rates={}),))
    lower = entry(
        "lower", 4, variants=(Variant(when=BATCH, rates={"input_mtok": Rate(Decimal(1))}),)
    )
    past = history(Layer(name="own", entries=(upper,)), Layer(name="base", entries=(lower,)))
    assert (rate(past, 0), rate(past, 0, BATCH)) == (4, 1)
    found = past.price(0, BATCH)
    assert (found.price_id, found.source) == ("upper+batch", "upper list")


def test_a_mode_without_a_rate_is_unknown_unless_a_factor_closes_the_gap() -> None:
    listed = entry("list", 4)
    bare = history(Layer(name="base", entries=(listed,)))
    assert bare.price(0, BATCH) == Unknown(
        reason="list has no rate for processing = batch at that time", price_id="list"
    )
    half = factor("0.5", span=Span(from_us=10))
    past = history(
        Layer(name="own", entries=(), factors=(half,)), Layer(name="base", entries=(listed,))
    )
    assert [rate(past, at, BATCH) for at in (9, 10)] == [None, 2]
    found = past.price(10, BATCH)
    assert (found.price_id, found.source, found.checked) == (
        "list*half",
        "list list; half list",
        date(2025, 1, 1),
    )


def test_factors_of_different_modes_multiply_and_leave_fees_alone() -> None:
    listed = entry("list", 10)
    listed = Entry(
        price_id="list",
        source="s",
        checked=None,
        origin="o",
        covers="c",
        rates={
            "input_mtok": Rate(Decimal(10), ((5, Decimal(20)),)),
            "cache_read_mtok": Rate(Decimal(1)),
            "web_searches_kcount": Rate(Decimal(10)),
        },
    )
    factors = (
        factor("0.5", by=(("cache_read_mtok", Decimal(1)),)),
        factor("1.1", when=(("inference_geo", "us"),)),
    )
    past = history(Layer(name="base", entries=(listed,), factors=factors))
    found = past.price(0, (("inference_geo", "us"), ("processing", "batch")))
    assert found.rates == {
        "input_mtok": Rate(Decimal("5.50"), ((5, Decimal("11.00")),)),
        "cache_read_mtok": Rate(Decimal("1.1")),
        "web_searches_kcount": Rate(Decimal(10)),
    }
    assert found.checked is None


def test_a_circumstance_that_no_list_names_changes_nothing() -> None:
    past = history(Layer(name="base", entries=(entry("list", 4),)))
    assert rate(past, 0, (("inference_geo", "us"), ("region", "mars"))) == 4


def test_hours_of_the_week_follow_the_clock_of_utc() -> None:
    windows = tuple((day * DAY_US, day * DAY_US + 3_600_000_000) for day in range(5))
    peak = Variant(when=(), rates={"input_mtok": Rate(Decimal(8))}, span=Span(windows=windows))
    past = history(Layer(name="base", entries=(entry("list", 4, variants=(peak,)),)))
    monday = 4 * DAY_US  # 1970-01-05
    assert week_us(monday) == 0
    found = [
        rate(past, at)
        for at in (
            monday - 1,
            monday,
            monday + 3_600_000_000 - 1,
            monday + 3_600_000_000,
            monday + 5 * DAY_US,
            monday + 52 * WEEK_US + DAY_US,
            monday - WEEK_US,
        )
    ]
    assert found == [4, 8, 8, 4, 4, 8, 8]


@settings(deadline=None)
@given(
    st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(-1_100, 1_100), min_size=1, max_size=20),
)
def test_asking_again_in_any_order_gives_the_price_of_the_time(
    starts: list[int], times: list[int]
) -> None:
    starts.sort()
    entries = tuple(entry(str(start), index, start) for index, start in enumerate(starts))
    past = history(Layer(name="base", entries=entries))
    for at in (*times, *reversed(times)):
        expected = sum(start <= at for start in starts) - 1
        assert rate(past, at) == (None if expected < 0 else expected)
