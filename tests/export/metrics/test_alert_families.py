"""Open alerts as a metric."""

from __future__ import annotations

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.alert import AlertState as State
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals
from contextframe_monitoring.store.alert_book import AlertBook
from tests.export.metrics.families import plain
from tests.export.stores import NOW_US, Filled, operation


def alert(number: int, state: State, rule: str = "HighErrorRate") -> Alert:
    return Alert(
        alert_id=f"a{number}", rule=rule, signal="error_rate", severity="critical", state=state,
        message="much", threshold=0.05, actual=0.5, created_us=NOW_US, changed_us=NOW_US,
        revision=0,
    )  # fmt: skip


def test_open_alerts_are_counted_by_rule_severity_and_state(filled: Filled) -> None:
    filled.drain(operation())
    engine = filled.store.engine
    assert engine is not None
    name = "contextframe_monitoring.alerts"
    assert name not in plain(Totals(filled.store, Limits()).families(NOW_US))
    AlertBook(engine).put(
        [alert(1, "firing"), alert(2, "firing"), alert(3, "pending"), alert(4, "resolved"),
         alert(5, "firing", 'a "rule"')]
    )  # fmt: skip
    assert plain(Totals(filled.store, Limits()).families(NOW_US))[name] == {
        'rule=a "rule" severity=critical state=firing': 1,
        "rule=HighErrorRate severity=critical state=firing": 2,
        "rule=HighErrorRate severity=critical state=pending": 1,
    }
