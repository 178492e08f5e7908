"""The shapes of the two reports about the monitor itself: its status, and the proof that nothing
was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWriter:
    """What this process knows of its own recorder, also where no disk takes its counters."""

    writer: str
    lost: Mapping[str, int]
    last_error: str | None


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Shape):
    """Something that a person should know, and what to do about it."""

    problem: str
    remedy: str


class VerifyReport(_Shape):
    """Proof of completeness from `(writer, seq)` and the ledger.

    recorded = stored + waiting + expired + lost + gaps, duplicates counted once.
    """

    complete: bool = Field(description="nothing lost, nothing missing, nothing twice")
    recorded: int = Field(description="sequence numbers taken by all writers")
    stored: int = Field(description="records in the tables")
    waiting: int = Field(description="records in spools, not drained yet (readers see them)")
    expired: int = Field(
        description="records that are not stored on purpose: retention, purge, sample_rate"
    )
    duplicates: int = Field(description="records that stand more than once")
    gaps: int = Field(description="sequence numbers that nothing explains")
    lost: dict[str, int] = Field(description="records that could not be stored, by reason")
    findings: list[Finding]


class WriterStatus(_Shape):
    """One process that records, as its spool shows it."""

    writer: str
    name: str
    pid: int | None
    alive: bool
    recorded: int
    waiting: int
    active_operations: int
    active_operations_max: int
    connections: int
    lost: dict[str, int]


class KeeperStatus(_Shape):
    """The process that drains the store."""

    alive: bool
    host: str | None
    pid: int | None
    since: str | None
    last_seen: str | None
    last_error: str | None


class ResourceUse(_Shape):
    """What one process used of the machine when it sampled last."""

    server: str | None
    writer: str
    at: str
    figures: dict[str, float] = Field(
        description="by OpenTelemetry's name: shares of 1, bytes, seconds, counts"
    )


class AlertingStatus(_Shape):
    """The evaluation of alert rules, and what fires."""

    evaluated_at: str | None = Field(description="when rules were last evaluated")
    host: str | None
    pid: int | None
    seconds: float | None = Field(description="what the last evaluation took")
    rules: int = Field(description="rules that were evaluated")
    groups: int
    problems: dict[str, str] = Field(description="what is wrong with single rules")
    active: dict[str, int] = Field(description="firing alerts by severity")


class TargetStatus(_Shape):
    """One configured target of exports."""

    name: str
    type: str
    status: str = Field(description="ok | waiting (nothing sent yet) | failing | resting")
    failures: int = Field(description="in a row")
    failing_since: str | None
    last_error: str | None
    last_success: str | None
    next_try: str | None
    sent: int = Field(description="points, spans, lines or rows over all time")
    rejected: int = Field(description="what the target refused for good")


class StatusReport(_Shape):
    """How the monitor itself is doing."""

    status: str = Field(description="ok | degraded | disabled")
    enabled: bool
    store: str
    writers: list[WriterStatus] = Field(description="processes with a spool, living ones first")
    writers_more: int = Field(description="writers beyond the ones listed")
    undrained_frames: int
    drain_lag_seconds: float | None = Field(description="age of the oldest undrained record")
    recorded: int
    stored: int
    lost: dict[str, int]
    active_operations: int
    connections: int
    keeper: KeeperStatus
    alerts: AlertingStatus
    targets: list[TargetStatus] = Field(description="where metrics are sent, failing ones first")
    quarantined: list[str] = Field(description="damaged spool segments that were kept aside")
    unmatched_operations: dict[str, int] = Field(
        description="ends without a start, second ends, starts never ended"
    )
    rollup_others: dict[str, int] = Field(
        description="facts by level in groups beyond rollup_groups_max: their names are `other`"
    )
    last_error: str | None
    disk_free_bytes: int | None
    resources: list[ResourceUse] = Field(
        default=[], description="processes that sampled in the last 15 minutes"
    )
    versions: dict[str, str]
    findings: list[Finding]
