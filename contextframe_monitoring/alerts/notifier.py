"""What a notifier is: it tells one channel one notification, or says why it could not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from contextframe_monitoring.core.errors import ErrorCode, MonitoringError
from contextframe_monitoring.core.notification import Notification


class DeliveryError(MonitoringError):
    """A notification did not reach anybody through a channel."""

    code: ErrorCode = "unavailable"

    def __init__(self, problem: str, *, retry_after_seconds: float | None = None) -> None:
        """`problem` is for people and holds no secret; `retry_after_seconds` is what the other
        side asked for.
        """
        super().__init__(problem)
        self.problem, self.retry_after_seconds = problem, retry_after_seconds


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification that arrived."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Recipients that did not get it though others did, and why."""

    @property
    def problem(self) -> str | None:
        """Whom it did not reach, in words; None when it reached everybody."""
        if not self.refused:
            return None
        return "; ".join(f"{who} is refused: {why}" for who, why in self.refused.items())


class Notifier(Protocol):
    """Tells one channel. It blocks, on a thread that is the channel's own."""

    acknowledges: bool
    """Whether it wants to know that somebody acknowledged an alert."""

    def send(self, notification: Notification) -> Sent:
        """Tell the channel. Raises a `MonitoringError` when nobody was reached."""
        ...
