"""The monitor's own figures that rules watch: losses, the drain's lag, rules with problems, targets
that refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contextframe_monitoring.alerts.values import Values
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.query.health import lag_seconds, lost_records, writer_statuses
from contextframe_monitoring.query.target_health import target_statuses
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

LOSSES_MAX = 400
"""Samples of the count of losses that are kept."""


class OwnFigures:
    """Looks at one store as one snapshot shows it."""

    def __init__(
        self,
        store: Store,
        config: MonitoringConfig,
        snapshot: Snapshot,
        losses: Sequence[tuple[int, int]],
        now_us: int,
    ) -> None:
        """`losses` are the counts of earlier evaluations, the oldest first."""
        self._store, self._config = store, config
        self._snapshot, self._now_us = snapshot, now_us
        self._losses = list(losses)
        self._lost: int | None = None

    @property
    def losses(self) -> list[tuple[int, int]]:
        """The counts for the next evaluation, this one's last."""
        return [*self._losses, (self._now_us, self._total())][-LOSSES_MAX:]

    def values(self, rule: Rule, problems: Mapping[str, str]) -> Values:
        """Return the value of one of the monitor's own signals."""
        if rule.signal == "drain_lag":
            return {(): lag_seconds(self._snapshot, self._now_us) or 0.0}
        if rule.signal == "records_lost":
            return {(): float(self._total() - self._before(rule.window_us or 0))}
        if rule.signal == "export_failures":
            statuses = target_statuses(self._store, self._config)
            return {(status.name,): float(status.failures) for status in statuses}
        return {(name,): 1.0 for name in problems}

    def _total(self) -> int:
        if self._lost is None:
            writers = writer_statuses(self._snapshot)
            self._lost = lost_records(self._store, writers).total()
        return self._lost

    def _before(self, window_us: int) -> int:
        """Return how many were lost before the window began; 0 where nobody had looked yet."""
        start_us = self._now_us - window_us
        before = [count for at_us, count in self._losses if at_us <= start_us]
        if before:
            return before[-1]
        return min((count for _, count in self._losses), default=0)
