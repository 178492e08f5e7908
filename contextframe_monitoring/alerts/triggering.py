"""Alerts that an application raises itself: the same book, the same life, the same bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from contextframe_monitoring.alerts.rule_set import known_rules
from contextframe_monitoring.alerts.transitions import alert_id_of
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.alert_text import annotated, said
from contextframe_monitoring.core.clock import US_PER_SECOND, Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, LimitedError, NotFoundError
from contextframe_monitoring.core.incidents import incident_of
from contextframe_monitoring.core.privacy import attribute_pairs
from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.core.rule_words import AlertRule
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.threshold import bound_of
from contextframe_monitoring.query.measures import Names
from contextframe_monitoring.store.alert_book import Entry, Place
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

AnyRule = Rule | AlertRule | Mapping[str, Any] | str
"""A rule, one in the seeds' words, a table of keys, or the name of a rule that is known."""

EXPIRES_US = 3_600 * US_PER_SECOND
"""An application's alert is over when it was not raised again for so long."""
TEXT_CHARS_MAX = 300
_FIRING_MAX = 1_000_000
_VALUE_KEYS = ("value", "actual", "actual_value")


def as_rule(rule: AnyRule, config: MonitoringConfig, state: AlertState | None) -> Rule:
    """Return the rule that is meant. Raises `InvalidError` or `NotFoundError`."""
    if isinstance(rule, Rule):
        return rule
    if isinstance(rule, AlertRule):
        return rule_of(rule.ours())
    if isinstance(rule, str):
        known = known_rules(config, None if state is None else state.rules).get(rule)
        if known is None:
            raise NotFoundError("alert rule", rule, "see `alerts rules`, or give the rule itself")
        return known.rule
    return rule_of(rule)


class Trigger:
    """Raises alerts in one store."""

    def __init__(self, store: Store, config: MonitoringConfig, clock: Clock) -> None:
        """Nothing is opened yet."""
        self._store, self._config, self._clock = store, config, clock

    def trigger(self, rule: AnyRule, trigger_data: Mapping[str, Any] | None = None) -> str:
        """Raise an alert, or renew the one that stands for the same rule and group; return its id.

        The group are the rule's `group_by` keys out of the data, the value what the data has under
        the name of the signal, or `value`. All data is kept, masked and bounded, as details.
        Raises `InvalidError`, `NotFoundError` or `LimitedError`.
        """
        if trigger_data is not None and not isinstance(trigger_data, Mapping):
            raise InvalidError("trigger_data", trigger_data, "expected a dictionary")
        state = AlertState.made(self._store)
        meant = as_rule(rule, self._config, state)
        alert = self._alert(meant, dict(trigger_data or {}))
        firing = state.book.find(limit=_FIRING_MAX)
        within = self._config.alerts.incident_minutes * 60 * US_PER_SECOND
        alert = dataclasses.replace(alert, incident_id=incident_of(alert, firing, within))

        def decide(current: Mapping[str, Alert]) -> list[Entry]:
            standing = [a for a in current.values() if a.group == alert.group]
            if standing:
                return [Entry(_renewed(standing[0], alert))]
            if len(firing) >= self._config.alerts.open_max:
                hint = "resolve some, or raise alerts.open_max"
                raise LimitedError(
                    "open alerts", len(firing) + 1, self._config.alerts.open_max, hint
                )
            return [Entry(alert, "fired", "application")]

        return state.book.change((), decide, open_of_rule=meant.name)[0].alert_id

    def _alert(self, rule: Rule, data: dict[str, Any]) -> Alert:
        now_us = self._clock.now_us()
        pairs = attribute_pairs(data, TEXT_CHARS_MAX)
        details = dict(pair.split("=", 1) for pair in pairs)
        group = {key: details.get(key, "(none)") for key in rule.group_by}
        names: Names = tuple(group.values())
        value, bound = _value(rule, data), bound_of(rule, None)
        texts = annotated(rule, group, value, bound)
        bare = f"{rule.name}: {texts.get('summary', 'raised by an application')}"
        return Alert(
            alert_id=alert_id_of(Place(rule.name, names), now_us),
            rule=rule.name,
            signal=rule.signal,
            group=group,
            severity=rule.severity,
            state="firing",
            message=bare if value is None else said(rule, group, value, bound),
            details={**details, **texts},
            labels=dict(rule.labels),
            channels=tuple(rule.channels),
            unit=rule.unit,
            threshold=None if bound is None else bound.threshold,
            actual=value,
            created_us=now_us,
            fired_us=now_us,
            source="application",
            expires_us=now_us + max(rule.keep_firing_for_us, EXPIRES_US),
            changed_us=now_us,
            revision=0,
        )


def _renewed(standing: Alert, new: Alert) -> Alert:
    return dataclasses.replace(
        standing,
        message=new.message,
        details={**standing.details, **new.details},
        actual=new.actual,
        expires_us=None if standing.expires_us is None else new.expires_us,
        changed_us=new.changed_us,
    )


def _value(rule: Rule, data: Mapping[str, Any]) -> float | None:
    for key in (rule.signal, *_VALUE_KEYS):
        found = data.get(key)
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            return float(found)
    return None
