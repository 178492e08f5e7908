"""One notification on its way, on a thread of its own: a channel that hangs delays nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.core.errors import MonitoringError

Outcome = Sent | MonitoringError


class Sending:
    """Runs one delivery, and tells how it ended."""

    def __init__(
        self,
        work: Callable[[], Sent],
        ended: Callable[[Outcome], None],
        *,
        name: str,
        deadline_ns: int,
    ) -> None:
        """`ended` is called once, on the thread. `deadline_ns` is on the monotonic clock."""
        self._work, self._ended = work, ended
        self._deadline_ns = deadline_ns
        self.is_late = False
        """Whether its deadline passed, and was said to."""
        self._thread = threading.Thread(target=self._run, name=f"channel {name}", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it is still on its way."""
        return self._thread.is_alive()

    def turns_late(self, monotonic_ns: int) -> bool:
        """Return whether its deadline has passed; true once."""
        if self.is_late or not self.runs or monotonic_ns < self._deadline_ns:
            return False
        self.is_late = True
        return True

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most for so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        outcome: Outcome
        try:
            outcome = self._work()
        except MonitoringError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - whatever a channel does, the others go on
            outcome = DeliveryError(type(error).__name__)
        self._ended(outcome)
