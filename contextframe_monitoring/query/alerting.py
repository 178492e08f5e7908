"""How the evaluation of alert rules is doing: when, by whom, and whether nobody does it."""

from __future__ import annotations

from collections import Counter

from contextframe_monitoring.core.alert import SEVERITIES
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.status import AlertingStatus, Finding
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

LATE_INTERVALS = 3
"""Rules that were not evaluated for so many intervals are evaluated by nobody."""
LATE_SECONDS_MIN = 60
_PROBLEMS_MAX = 10
_ALERTS_MAX = 100_000


def alerting_status(store: Store) -> AlertingStatus:
    """Return when rules were last evaluated, by whom, and what fires. Raises `StoreError`."""
    state = AlertState.of(store)
    last = None if state is None else state.evaluations.last()
    firing = [] if state is None else state.book.find(limit=_ALERTS_MAX)
    counted = Counter(alert.severity for alert in firing)
    problems = {} if last is None else last.problems
    return AlertingStatus(
        evaluated_at=None if last is None else iso(last.at_us, "UTC"),
        host=None if last is None else last.host,
        pid=None if last is None else last.pid,
        seconds=None if last is None else last.seconds,
        rules=0 if last is None else last.rules,
        groups=0 if last is None else last.groups,
        problems=dict(sorted(problems.items())[:_PROBLEMS_MAX]),
        active={name: counted[name] for name in SEVERITIES[::-1] if counted[name]},
    )


def alerting_findings(
    found: AlertingStatus, store: Store, config: MonitoringConfig, now_us: int
) -> list[Finding]:
    """Return what a person should know: rules with problems, and rules of their own that nobody
    evaluates.
    """
    findings = [
        Finding(problem=f"alert rule {name}: {why}", remedy="see `alerts rules`")
        for name, why in found.problems.items()
    ]
    state = AlertState.of(store)
    own_rules = bool(config.alert_rules) or (state is not None and bool(state.rules.rules()))
    if not own_rules or not config.enabled:
        return findings
    if not config.alerts.evaluate:
        problem = "there are alert rules, but alerts.evaluate is false"
        return [*findings, Finding(problem=problem, remedy="set it to true")]
    interval = config.alerts.evaluation_interval_seconds
    late = max(LATE_INTERVALS * interval, LATE_SECONDS_MIN)
    last = None if state is None else state.evaluations.last()
    age = None if last is None else (now_us - last.at_us) / 1e6
    if age is None or age > late:
        since = "were never evaluated" if age is None else f"were last evaluated {age:.0f} s ago"
        findings.append(
            Finding(
                problem=f"alert rules {since}: nobody does it",
                remedy="run `contextframe-monitoring keep`, or keep a `serve` running",
            )
        )
    return findings
