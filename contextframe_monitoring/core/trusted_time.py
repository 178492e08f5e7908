"""`TrustedTime`: the wall clock as far as it may be believed when something is to be deleted."""

from __future__ import annotations

from contextframe_monitoring.core.clock import US_PER_DAY, Clock

JUMP_US_MAX = 7 * US_PER_DAY
SETTLE_NS = 86_400 * 1_000_000_000
"""A jump of the wall clock by more than a week is believed after a day of monotonic time."""


class TrustedTime:
    """The wall clock, but not its jumps: nothing is deleted on the word of a clock that went
    astray.
    """

    def __init__(self, clock: Clock) -> None:
        """Believe the clock as it stands at the start."""
        self._clock = clock
        self._wall_us, self._monotonic_ns = clock.now_us(), clock.monotonic_ns()
        self._doubt_ns: int | None = None

    def now_us(self) -> int | None:
        """Return the wall time, None while a jump is not settled."""
        wall, monotonic = self._clock.now_us(), self._clock.monotonic_ns()
        expected = self._wall_us + (monotonic - self._monotonic_ns) // 1000
        if abs(wall - expected) > JUMP_US_MAX:
            if self._doubt_ns is None:
                self._doubt_ns = monotonic
            if monotonic - self._doubt_ns < SETTLE_NS:
                return None
        self._doubt_ns = None
        self._wall_us, self._monotonic_ns = wall, monotonic
        return wall
