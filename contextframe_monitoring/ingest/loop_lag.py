"""`LoopLag`: how long an event loop keeps others waiting, asked from another thread."""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter_ns

WAIT_SECONDS_MAX = 1.0
"""A loop that does not come round within this is said to lag so much."""


class LoopLag:
    """Knows one event loop of asyncio, and measures it when it is asked to."""

    def __init__(self) -> None:
        """No loop is known yet."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def note(self) -> None:
        """Remember the loop that runs here; one of trio is not measured."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def seconds(self) -> float | None:
        """Return how long a callback waits for its turn now, at most `WAIT_SECONDS_MAX`; None where
        no loop runs. Not to be called from the loop itself.
        """
        loop = self._loop
        if loop is None or not loop.is_running():
            return None
        turn, started_ns = threading.Event(), perf_counter_ns()
        came_ns: list[int] = []

        def come() -> None:
            came_ns.append(perf_counter_ns())
            turn.set()

        try:
            loop.call_soon_threadsafe(come)
        except RuntimeError:  # closed meanwhile
            return None
        if not turn.wait(WAIT_SECONDS_MAX):
            return WAIT_SECONDS_MAX if loop.is_running() else None
        return (came_ns[0] - started_ns) / 1e9
