"""What time is: a protocol, so that every decision can be tested at any moment."""

from __future__ import annotations

from typing import Protocol

US_PER_SECOND = 1_000_000
US_PER_DAY = 86_400 * US_PER_SECOND


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for what is measured."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC; may jump."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary start; never goes back."""
        ...
