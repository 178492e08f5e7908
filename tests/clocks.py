"""A clock that a test moves."""

from __future__ import annotations

NOW_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000


class ManualClock:
    """Stands still until it is moved; wall and monotonic time can part."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.us, self.ns = now_us, 0

    def now_us(self) -> int:
        return self.us

    def monotonic_ns(self) -> int:
        return self.ns

    def pass_ms(self, ms: float) -> None:
        self.us += round(ms * 1000)
        self.ns += round(ms * 1_000_000)

    def pass_days(self, days: float) -> None:
        self.pass_ms(days * 86_400_000)
