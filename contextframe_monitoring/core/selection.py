"""Which records are meant: those before a time, of an agent, of a session; nothing named: all."""

from __future__ import annotations

from dataclasses import dataclass

from contextframe_monitoring.core.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Records that meet every part that is not None.

    `before_us` is microseconds since the epoch, and not itself included.
    """

    before_us: int | None = None
    agent_id: str | None = None
    session_id: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no part is named."""
        return self == Selection()

    @property
    def is_time_only(self) -> bool:
        """Whether all that counts is the time."""
        return self.before_us is not None and self == Selection(before_us=self.before_us)

    def matches(self, record: Record) -> bool:
        """Return whether a record is meant."""
        return (
            (self.before_us is None or max(record.time_us, 0) < self.before_us)
            and (self.agent_id is None or record.origin.agent_id == self.agent_id)
            and (self.session_id is None or record.origin.session_id == self.session_id)
        )
