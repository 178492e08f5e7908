"""How long to wait before what failed is tried again."""

from __future__ import annotations

from random import Random

from contextframe_monitoring.core.clock import US_PER_SECOND

FIRST_SECONDS = 2.0
SECONDS_MAX = 300.0


def retry_us(attempts: int, asked_seconds: float | None, now_us: int, random: Random) -> int:
    """Return when to try again after so many failed attempts: twice as late each time, spread by a
    quarter so that many don't come at once, and never before the other side asked for.
    """
    waits = min(FIRST_SECONDS * float(1 << min(max(attempts - 1, 0), 20)), SECONDS_MAX)
    waits *= 0.75 + 0.5 * random.random()
    return now_us + round(max(waits, asked_seconds or 0.0) * US_PER_SECOND)
