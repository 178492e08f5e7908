"""What the keeper sees to beside draining and maintaining: the metrics port, alerts, exports.

Each duty runs on a thread of its own: one that hangs delays neither the drain nor another duty.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.errors import MonitoringError

PAUSE_SECONDS = 1.0
"""Between two ticks of one duty."""
_ENDS_SECONDS_MAX = 5.0
_PROBLEM_CHARS_MAX = 500


class Duty(Protocol):
    """Work that one process of a store does while it keeps it."""

    def tick(self, now_us: int) -> str | None:
        """Do what is due at this time; return what is wrong, None when all is well.

        It is called about once a second, always by the same thread, and may block. What it raises
        is a problem too, and the next tick comes nevertheless. A process may be killed between
        any two lines: the next keeper goes on from what stands in the state.
        """
        ...

    def close(self) -> None:
        """Let go of everything; another process may keep the store from here on."""
        ...


class Duties:
    """The duties of one keeper, each on its thread, from `start` to `stop`."""

    def __init__(self, made: Mapping[str, Callable[[], Duty]], clock: Clock) -> None:
        """`made` gives each duty by its name, anew at every start. Nothing runs yet."""
        self._made, self._clock = made, clock
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._problems: dict[str, str | None] = {}

    @property
    def problem(self) -> str | None:
        """What is wrong with the first duty that has a problem; None when none has."""
        for name in self._made:
            found = self._problems.get(name)
            if found is not None:
                return f"{name}: {found}"
        return None

    def start(self) -> None:
        """Begin, unless they run already."""
        if self._threads:
            return
        self._stop = threading.Event()
        for name, make in self._made.items():
            thread = threading.Thread(
                target=self._run, args=(name, make, self._stop), name=f"duty {name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End. A duty that hangs is left to itself after a few seconds: it is told to stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_ENDS_SECONDS_MAX)
        self._threads.clear()
        self._problems.clear()

    def _run(self, name: str, make: Callable[[], Duty], stop: threading.Event) -> None:
        duty: Duty | None = None
        while not stop.is_set():
            try:
                duty = duty or make()
                problem = duty.tick(self._clock.now_us())
            except MonitoringError as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - a duty's fault harms nothing else
                problem = f"{type(error).__name__}: {error}"
            if not stop.is_set():
                self._problems[name] = None if problem is None else problem[:_PROBLEM_CHARS_MAX]
            stop.wait(PAUSE_SECONDS)
        if duty is not None:
            duty.close()
