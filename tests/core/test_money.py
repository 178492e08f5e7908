"""Money is exact."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.money import nano_usd, usd


@given(st.integers(-(9 * 10**18), 9 * 10**18))
def test_nano_dollars_come_back_exactly(nano: int) -> None:
    assert nano_usd(usd(nano)) == nano


def test_a_float_means_the_decimal_that_it_prints_as() -> None:
    assert nano_usd(0.1) + nano_usd(0.2) == nano_usd(0.3) == 300_000_000


@given(st.integers(-(10**27), 10**27))
def test_an_applications_own_decimal_context_changes_nothing(nano: int) -> None:
    amount = usd(nano)
    with localcontext() as context:
        context.prec = 3
        assert usd(nano) == amount
        assert f"{usd(nano):f}" == f"{amount:f}"
        if abs(nano) <= 9 * 10**18:
            assert nano_usd(amount) == nano


def test_half_a_nano_dollar_goes_to_the_even_one() -> None:
    assert [nano_usd(Decimal(f"{n}.5e-9")) for n in range(4)] == [0, 2, 2, 4]


def test_an_amount_prints_without_needless_zeros() -> None:
    assert [str(usd(n)) for n in (60_000_000, 5_000_000_000, 0, 1, -1_500_000_000)] == [
        "0.06",
        "5",
        "0",
        "1E-9",
        "-1.5",
    ]


@pytest.mark.parametrize("amount", [True, "1", float("inf"), Decimal("NaN"), 10**10, None])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(InvalidError, match="a finite number of USD, at most 9000000000"):
        nano_usd(amount)
