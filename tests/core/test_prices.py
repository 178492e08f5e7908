"""Laws of the price arithmetic: exact, the sum of its parts, monotone, rounded once."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.price_columns import COLUMNS, MAIN, PRICE_KEYS
from contextframe_monitoring.core.prices import (
    Cost,
    Price,
    Rate,
    Unknown,
    compile_price,
)
from contextframe_monitoring.core.token_usage import Usage

SONNET = {
    "input_mtok": Rate(Decimal(3), ((200_000, Decimal(6)),)),
    "cache_read_mtok": Rate(Decimal("0.3"), ((200_000, Decimal("0.6")),)),
    "cache_write_mtok": Rate(Decimal("3.75"), ((200_000, Decimal("7.5")),)),
    "cache_write_1h_mtok": Rate(Decimal(6), ((200_000, Decimal(12)),)),
    "output_mtok": Rate(Decimal(15), ((200_000, Decimal("22.5")),)),
    "web_searches_kcount": Rate(Decimal(10)),
}

counts = st.integers(0, 10**7)
rates = st.decimals(0, 1_000, places=9)


def price(listed: dict[str, Rate], audio_ms_min: int = 0) -> Price:
    made = compile_price(
        price_id="p", source="s", checked=None, rates=listed, audio_ms_min=audio_ms_min
    )
    assert isinstance(made, Price)
    return made


@st.composite
def listed_rates(draw: st.DrawFn) -> dict[str, Rate]:
    """A price list with an input and an output rate, any others, and tiers on some of them."""
    keys = draw(st.sets(st.sampled_from(sorted(PRICE_KEYS)))) | {"input_mtok", "output_mtok"}
    thresholds = sorted(draw(st.sets(st.integers(1, 10**6), max_size=3)))
    return {
        key: Rate(
            draw(rates),
            tuple((above, draw(rates)) for above in thresholds) if draw(st.booleans()) else (),
        )
        for key in sorted(keys)
    }


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Any usage of tokens, with parts that fit their whole."""
    output, fresh, read = draw(counts), draw(counts), draw(counts)
    reasoning = draw(st.integers(0, output))
    output_audio = draw(st.integers(0, output - reasoning))
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_5m_tokens=draw(counts),
        cache_write_1h_tokens=draw(counts),
        output_tokens=output,
        reasoning_tokens=reasoning,
        output_audio_tokens=output_audio,
        input_audio_tokens=draw(st.integers(0, fresh)),
        cache_read_image_tokens=draw(st.integers(0, read)),
    )


def test_a_tier_prices_all_tokens_once_the_input_is_above_it() -> None:
    sonnet = price(SONNET)
    below = Usage(input_tokens=150_000, cache_read_tokens=50_000, output_tokens=1_000)
    above = Usage(input_tokens=150_001, cache_read_tokens=50_000, output_tokens=1_000)
    assert sonnet.cost(below).amount_usd == Decimal("0.48")
    assert sonnet.cost(above).amount_usd == Decimal("0.952506")


def test_a_cost_carries_its_price_its_source_and_its_rounding() -> None:
    cost = price({"input_mtok": Rate(Decimal("0.0015"))}).cost(Usage(input_tokens=1))
    assert cost == Cost(
        amount_nano_usd=2,
        price_id="p",
        source="s",
        checked=None,
        numerator=3,
        scale=2_000_000_000,
    )
    assert cost.amount_usd == Decimal("1.5E-9")


def test_halves_are_rounded_to_even_once() -> None:
    halves = price({"input_mtok": Rate(Decimal("0.0005"))})
    amounts = [halves.cost(Usage(input_tokens=count)).amount_nano_usd for count in (1, 3, 5, 7)]
    assert amounts == [0, 2, 2, 4]


def test_a_price_without_rates_is_unknown_and_says_so() -> None:
    none = compile_price(price_id="x/y", source="s", checked=None, rates={})
    assert none == Unknown(reason="x/y is listed without a price", price_id="x/y")
    assert none.cost(Usage()) == Cost(
        amount_nano_usd=None, price_id="x/y", reason="x/y is listed without a price"
    )
    assert none.cost(Usage()).amount_usd is None


def test_what_a_price_does_not_list_is_unknown_not_free() -> None:
    chat = price({"input_mtok": Rate(Decimal(1)), "output_mtok": Rate(Decimal(2))})
    for usage, name in (
        (Usage(web_searches=1), "web_searches"),
        (Usage(input_tokens=5, more=(("audio_ms", 1),)), "audio_ms"),
    ):
        assert chat.cost(usage).reason == f"p has no rate for {name}"
        assert chat.cost(usage).amount_nano_usd is None
    assert chat.cost(Usage(input_tokens=5, more=(("audio_ms", 0),))).amount_nano_usd == 5_000


def test_embeddings_do_not_charge_output_and_a_cache_without_a_rate_costs_input() -> None:
    embedding = price({"input_mtok": Rate(Decimal(1))})
    assert embedding.cost(Usage(output_tokens=9)).amount_nano_usd == 0
    assert embedding.cost(Usage(cache_read_tokens=9)).amount_nano_usd == 9_000
    speech = price({"audio_hours": Rate(Decimal("0.36"))}, audio_ms_min=10_000)
    assert speech.cost(Usage(input_tokens=9)).reason == "p has no rate for input_tokens"
    costs = [
        speech.cost(Usage(more=(("audio_ms", ms),))).amount_usd for ms in (0, 1, 10_000, 20_000)
    ]
    assert costs == [Decimal(0), Decimal("0.001"), Decimal("0.001"), Decimal("0.002")]


def test_a_fee_per_request_counts_requests() -> None:
    sonar = price({"input_mtok": Rate(Decimal(3)), "requests_kcount": Rate(Decimal(6))})
    assert sonar.cost(Usage(input_tokens=1_000)).amount_usd == Decimal("0.009")
    assert sonar.cost(Usage(input_tokens=1_000, requests=3)).amount_usd == Decimal("0.021")


def test_an_amount_that_no_table_can_hold_is_unknown() -> None:
    dear = price({"input_mtok": Rate(Decimal(900_000))})
    held = dear.cost(Usage(input_tokens=10**10))
    assert held.amount_nano_usd == 9_000_000_000 * 10**9 < 2**63
    assert dear.cost(Usage(input_tokens=10**10 + 1)) == Cost(
        amount_nano_usd=None,
        price_id="p",
        reason="an amount above 9000000000 USD is a mistake in what was counted",
    )


@settings(deadline=None)
@given(listed_rates(), usages())
def test_a_cost_is_the_sum_of_its_columns(listed: dict[str, Rate], usage: Usage) -> None:
    made = price(listed)
    cost = made.cost(usage)
    assert cost.amount_usd == sum(made.breakdown(usage).values(), Decimal(0))


@settings(deadline=None)
@given(listed_rates(), usages())
def test_a_cost_is_what_the_list_says_column_by_column(
    listed: dict[str, Rate], usage: Usage
) -> None:
    """The slow way: for each column its own count times the rate of its nearest listed key."""
    parts = {
        column.name: getattr(usage, column.name)
        for column in COLUMNS
        if hasattr(usage, column.name)
    }
    for column in COLUMNS:
        if column.part_of:
            parts[column.part_of] -= parts.get(column.name, 0)
    total = Fraction(0)
    for column in COLUMNS:
        key = next((key for key in column.keys if key in listed), None)
        if key:
            rate = listed[key].at(usage.context_tokens)
            total += parts.get(column.name, 0) * Fraction(rate) / column.per
    cost = price(listed).cost(usage)
    assert Fraction(cost.numerator, cost.scale) == total
    assert cost.amount_nano_usd == round(total * 10**9)


@settings(deadline=None)
@given(listed_rates(), st.lists(usages(), max_size=5))
def test_costs_of_calls_add_up_exactly_below_the_tiers(
    listed: dict[str, Rate], calls: list[Usage]
) -> None:
    flat = {key: Rate(rate.base) for key, rate in listed.items() if key != "requests_kcount"}
    together = Usage(
        **{
            name: sum(getattr(call, name) for call in calls)
            for name in (column.name for column in COLUMNS)
            if hasattr(Usage(), name) and name != "requests"
        }
    )
    made = price(flat)
    whole = made.cost(together)
    parts = sum((Fraction(c.numerator, c.scale) for c in map(made.cost, calls)), Fraction(0))
    assert Fraction(whole.numerator, whole.scale) == parts


@settings(deadline=None)
@given(listed_rates(), usages(), st.sampled_from([c.name for c in MAIN[:5]]), st.integers(0, 10**6))
def test_more_tokens_never_cost_less(
    listed: dict[str, Rate], usage: Usage, name: str, more: int
) -> None:
    rising = {
        key: Rate(
            rate.base, tuple((above, rate.base + n) for n, (above, _) in enumerate(rate.tiers))
        )
        for key, rate in listed.items()
    }
    made = price(rising)
    fields = {column.name: getattr(usage, column.name) for column in MAIN[:5]}
    smaller = made.cost(Usage(**fields)).amount_nano_usd
    larger = made.cost(Usage(**{**fields, name: fields[name] + more})).amount_nano_usd
    assert smaller is not None
    assert larger is not None
    assert larger >= smaller


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18))
def test_nano_dollars_become_dollars_exactly_in_at_most_nine_places(nano: int) -> None:
    amount = usd(nano)
    assert Fraction(amount) == Fraction(nano, 10**9)
    assert 0 <= -int(amount.as_tuple().exponent) <= 9
