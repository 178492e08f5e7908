"""How the targets that metrics are sent to do, as the state tells it."""

from __future__ import annotations

import datetime as dt

from contextframe_monitoring.core.config import MonitoringConfig, targets_of
from contextframe_monitoring.core.status import Finding, TargetStatus
from contextframe_monitoring.core.target_settings import target_type
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from contextframe_monitoring.store.store import Store

RESTS_AFTER_FAILURES = 5
"""So many failures in a row and a target is left alone for minutes at a time."""


def target_statuses(store: Store, config: MonitoringConfig) -> list[TargetStatus]:
    """Return every configured target, by name, failing ones first. Raises `StoreError`."""
    engine = store.engine
    known = {} if engine is None else {state.name: state for state in TargetBook(engine).all()}
    found = [
        _status(known.get(name) or TargetState(name=name, type=target_type(target)))
        for name, target in targets_of(config).items()
    ]
    return sorted(found, key=lambda status: (-status.failures, status.name))


def target_findings(statuses: list[TargetStatus]) -> list[Finding]:
    """Return what is wrong with targets, and what to do."""
    return [
        Finding(
            problem=f"target {one.name!r} ({one.type}) has failed {one.failures} time(s) in a row "
            f"since {one.failing_since}: {one.last_error}",
            remedy=f"what it misses waits; try `contextframe-monitoring export --to {one.name}`",
        )
        for one in statuses
        if one.failures
    ]


def _status(state: TargetState) -> TargetStatus:
    return TargetStatus(
        name=state.name,
        type=state.type,
        status=_word(state),
        failures=state.failures,
        failing_since=_iso(state.failing_since_us),
        last_error=state.last_error,
        last_success=_iso(state.succeeded_us),
        next_try=_iso(state.next_us or None),
        sent=state.sent,
        rejected=state.rejected,
    )


def _word(state: TargetState) -> str:
    if state.failures >= RESTS_AFTER_FAILURES:
        return "resting"
    if state.failures:
        return "failing"
    return "waiting" if state.succeeded_us is None else "ok"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).isoformat()
