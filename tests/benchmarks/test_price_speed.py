"""What it takes to price a fact; run with -s to see the figures (nothing is asserted of them)."""

import time

import pytest

from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.store.catalogue import Catalogue

AT_US = 1_793_000_000_000_000
ROUNDS = 20_000
CACHED = {
    "input_tokens": 1_000,
    "cache_read_tokens": 50_000,
    "cache_write_5m_tokens": 20_000,
    "output_tokens": 1_000,
}


def microseconds_each(work) -> float:
    work()
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(ROUNDS):
            work()
        best = min(best, time.perf_counter() - started)
    return best / ROUNDS * 1e6


@pytest.mark.requirement("cost:prices:speed")
def test_price_a_fact() -> None:
    catalogue = Catalogue()
    plain = Usage(**CACHED)
    modal = Usage(**CACHED, batch=True, service_tier="standard", reasoning_tokens=400)
    work = {
        "a cached call": lambda: catalogue.cost("anthropic", "claude-sonnet-4-5", plain, AT_US),
        "a batch": lambda: catalogue.cost("anthropic", "claude-haiku-4-5", modal, AT_US),
        "by the hour": lambda: catalogue.cost("deepseek", "deepseek-v4-flash", plain, AT_US),
        "an unknown model": lambda: catalogue.cost("acme", "none", plain, AT_US),
        "checking the usage": lambda: Usage(**CACHED),
    }
    for name, one in work.items():
        print(f"{name:20} {microseconds_each(one):6.2f} us")
