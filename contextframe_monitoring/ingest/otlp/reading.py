"""What was read out of one OTLP document, and what had to be refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import Cursor


@dataclass(slots=True)
class Reading:
    """Facts that cost, operations by the key that tells them apart, and refusals."""

    facts: list[UsageFact] = field(default_factory=list)
    operations: dict[str, OperationRecord] = field(default_factory=dict)
    cursors: list[Cursor] = field(default_factory=list)
    rejected: int = 0
    reason: str | None = None
    """Why the first of them was refused."""

    def refuse(self, error: MonitoringError) -> None:
        """Count one span, point or log record that can't be used."""
        self.rejected += 1
        self.reason = self.reason or str(error)
