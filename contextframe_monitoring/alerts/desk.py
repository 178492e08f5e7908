"""The desk of alerts: whatever a person, an agent or an application does to them, audited.

Everything here blocks; event loops use a thread.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contextframe_monitoring.alerts.listing import AlertQuery, alerts_report
from contextframe_monitoring.core.alert import Alert, AlertAction
from contextframe_monitoring.core.alert_life import (
    acknowledged,
    comment_of,
    commented,
    reopened,
    resolved,
)
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import NotFoundError
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.reports.alerts import AlertsReport
from contextframe_monitoring.core.silence import Silence, silenced_until
from contextframe_monitoring.store.alert_book import Entry
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.audit import Audited, Door
from contextframe_monitoring.store.store import Store

_SEE = "see `alerts list --status all`"
_FIRING_MAX = 1_000_000
_Change = Callable[[Alert], Alert]


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and through which door."""

    actor: str
    door: Door


class AlertDesk:
    """The alerts of one store. Raises `NotFoundError`, `ConflictError`, `InvalidError`, or
    `StoreError` for a bad store.
    """

    def __init__(self, store: Store, config: MonitoringConfig, clock: Clock) -> None:
        """Nothing is opened yet."""
        self._store, self._config, self._clock = store, config, clock

    # -- looking

    def report(self, query: AlertQuery | None = None) -> AlertsReport:
        """Return the alerts that a query asks for."""
        asked = query or AlertQuery(timezone=self._config.timezone)
        return alerts_report(AlertState.of(self._store), asked)

    def alert(self, alert_id: str) -> Alert:
        """Return one alert."""
        state = AlertState.of(self._store)
        found = None if state is None else state.book.get(alert_id)
        if found is None:
            raise NotFoundError("alert", alert_id, _SEE)
        return found

    def silences(self) -> list[Silence]:
        """Return the silences that are not over."""
        state = AlertState.of(self._store)
        return [] if state is None else state.silences.coming(self._clock.now_us())

    def audit(self, limit: int = 100) -> list[Audited]:
        """Return the last changes through any door."""
        state = AlertState.of(self._store)
        return [] if state is None else state.audit.entries(limit)

    # -- one alert

    def acknowledge(self, alert_id: str, by: By, comment: str | None = None) -> Alert:
        """Take an alert on."""
        now_us = self._clock.now_us()
        return self._change(
            alert_id, "acknowledged", by, lambda a: acknowledged(a, by.actor, now_us), comment
        )

    def resolve(self, alert_id: str, by: By, comment: str | None = None) -> Alert:
        """Declare an alert over."""
        now_us = self._clock.now_us()
        return self._change(
            alert_id, "resolved", by, lambda a: resolved(a, by.actor, now_us), comment
        )

    def reopen(self, alert_id: str, by: By, comment: str | None = None) -> Alert:
        """Take back that an alert is over."""
        now_us = self._clock.now_us()
        return self._change(
            alert_id, "reopened", by, lambda a: reopened(a, by.actor, now_us), comment
        )

    def comment(self, alert_id: str, text: str, by: By) -> Alert:
        """Say something about an alert."""
        return self._change(alert_id, "commented", by, lambda alert: alert, text)

    def _change(
        self, alert_id: str, action: AlertAction, by: By, change: _Change, comment: str | None
    ) -> Alert:
        now_us = self._clock.now_us()
        note = None if comment is None else comment_of(comment)
        state = AlertState.made(self._store)
        seen: list[Alert] = []

        def decide(current: Mapping[str, Alert]) -> list[Entry]:
            alert = current.get(alert_id)
            if alert is None:
                raise NotFoundError("alert", alert_id, _SEE)
            after = change(alert)
            if note is not None:
                after = commented(after, note, by.actor, now_us)
            seen.extend((alert, after))
            return [] if after is alert else [Entry(after, action, bounded_name(by.actor), note)]

        written = state.book.change([alert_id], decide)
        before, after = seen
        if written:
            state.audit.note(
                now_us,
                by.actor,
                by.door,
                f"alert.{action}",
                alert_id,
                _standing(before),
                {**_standing(after), "comment": note},
            )
        return written[0] if written else after

    # -- silences

    def silence(
        self, matchers: Mapping[str, str], starts_us: int | None, ends_us: int, reason: str, by: By
    ) -> Silence:
        """Let nobody be told of alerts that match, until a time. A start in the future makes it a
        maintenance window.
        """
        now_us = self._clock.now_us()
        silence = Silence(
            silence_id="s-" + secrets.token_hex(6),
            matchers=dict(matchers),
            starts_us=now_us if starts_us is None else starts_us,
            ends_us=ends_us,
            author=bounded_name(by.actor),
            reason=reason,
            created_us=now_us,
        )
        state = AlertState.made(self._store)
        state.silences.add(silence)
        self._mark_silenced(state, now_us)
        state.audit.note(
            now_us, by.actor, by.door, "silence.add", silence.silence_id, None, silence
        )
        return silence

    def end_silence(self, silence_id: str, by: By) -> Silence:
        """Let everybody be told again."""
        now_us = self._clock.now_us()
        state = AlertState.made(self._store)
        ended = state.silences.end(silence_id)
        if ended is None:
            raise NotFoundError("silence", silence_id, "see `alerts silence --list`")
        self._mark_silenced(state, now_us)
        state.audit.note(now_us, by.actor, by.door, "silence.end", silence_id, ended, None)
        return ended

    def _mark_silenced(self, state: AlertState, now_us: int) -> None:
        """Say on every firing alert at once what the silences mean for it."""
        silences = state.silences.coming(now_us)
        firing = state.book.find(limit=_FIRING_MAX)

        def decide(current: Mapping[str, Alert]) -> list[Entry]:
            entries = []
            for alert in current.values():
                until = silenced_until(alert, silences, now_us)
                if alert.state == "firing" and until != alert.silenced_until_us:
                    marked = dataclasses.replace(alert, silenced_until_us=until, changed_us=now_us)
                    entries.append(Entry(marked))
            return entries

        state.book.change([alert.alert_id for alert in firing], decide)


def _standing(alert: Alert) -> dict[str, object]:
    return {
        "rule": alert.rule,
        "state": alert.state,
        "acknowledged_by": alert.acknowledged_by,
        "resolved_by": alert.resolved_by,
    }
