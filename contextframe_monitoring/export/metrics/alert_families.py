"""Open alerts as a metric: how many groups of each rule are pending or firing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contextframe_monitoring.core.alert import AlertState as State
from contextframe_monitoring.export.metrics.instruments import Family, Point
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

RULES_MAX = 500
"""Rules that have a series for each of their states; the busiest first."""
_ALERTS_MAX = 10_000
_OPEN: tuple[State, ...] = ("pending", "firing")


def alert_families(store: Store, now_us: int) -> Iterator[Family]:
    """Yield the open alerts, where there are any. Raises `StoreError`."""
    del now_us
    state = AlertState.of(store)
    alerts = [] if state is None else state.book.find(states=_OPEN, limit=_ALERTS_MAX)
    counts = Counter((alert.rule, alert.severity, alert.state) for alert in alerts)
    if not counts:
        return
    points = tuple(
        Point(labels={"rule": rule, "severity": severity, "state": word}, value=count)
        for (rule, severity, word), count in sorted(counts.most_common(RULES_MAX))
    )
    yield Family(
        name="contextframe_monitoring.alerts",
        kind="gauge",
        unit="",
        text="Groups of alert rules that are pending or firing",
        points=points,
    )
