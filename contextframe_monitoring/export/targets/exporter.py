"""What a target's exporter is, and how it says that it could not deliver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ErrorCode, MonitoringError
from contextframe_monitoring.core.target_settings import Target
from contextframe_monitoring.export.targets.step import Step

REASON_CHARS_MAX = 300


class TargetError(MonitoringError):
    """A target did not take an export. The message holds nothing of what was sent, no header, and
    of the address scheme and host only.
    """

    code: ErrorCode = "unavailable"

    def __init__(
        self, where: str, reason: str, *, retry_after_seconds: float | None = None,
        refused: bool = False,
    ) -> None:  # fmt: skip
        """`refused` data would be refused again; `retry_after_seconds` is the target's own wish."""
        super().__init__(f"{where}: {printable(reason)}")
        self.retry_after_seconds, self.refused = retry_after_seconds, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What arrived: points, spans, lines or rows; and what the target refused of it, and why."""

    sent: int
    rejected: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an exporter is made from. `environ` is the only environment that it looks at."""

    name: str
    target: Target
    config: MonitoringConfig
    environ: Mapping[str, str]


class Exporter(Protocol):
    """Sends steps to one target. It is made anew for every process, and used by one thread."""

    def export(self, step: Step) -> Delivered:
        """Send what this exporter wants of a step, and return when it has arrived.

        It may block for as long as its requests may last. Raises `TargetError`; the same step
        comes again then, unless the data were refused for good.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def printable(text: str) -> str:
    """Return a reason as one bounded line: it may come from the other side."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * REASON_CHARS_MAX])
    line = " ".join(line.split())
    return line if len(line) <= REASON_CHARS_MAX else f"{line[: REASON_CHARS_MAX - 1]}…"
