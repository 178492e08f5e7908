"""Alerts in figures: which rules are noisy, how long it takes until somebody cares, what flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from contextframe_monitoring.core.alert import SEVERITIES
from contextframe_monitoring.core.reports.alerts import AlertStatistics, RuleCount
from contextframe_monitoring.query.alert_events import EventFact

RULES_MAX = 50
FLAP_US = 3_600_000_000
"""An alert that fires again within this of its end is the same trouble that flaps."""
FLAPS_MIN = 3
"""A rule that flaps so often in the window is named."""


@dataclass(slots=True)
class _Rule:
    fired: int = 0
    flaps: int = 0
    to_acknowledge: list[int] = field(default_factory=list)
    to_resolve: list[int] = field(default_factory=list)


def statistics(facts: Iterable[EventFact]) -> AlertStatistics:
    """Return the figures of entries that come in the order in which they happened. Pure.

    Times are taken of alerts that fired in the window; a reopened one counts from its reopening.
    """
    rules: dict[str, _Rule] = {}
    severities: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    began: dict[str, int] = {}
    ended: dict[tuple[str, tuple[str, ...]], int] = {}
    for fact in facts:
        rule = rules.setdefault(fact.rule, _Rule())
        place = (fact.rule, fact.groups)
        actions[fact.action] += 1
        if fact.action in {"fired", "reopened"}:
            began[fact.alert_id] = fact.time_us
        if fact.action == "fired":
            rule.fired += 1
            severities[fact.severity] += 1
            rule.flaps += fact.time_us - ended.pop(place, fact.time_us - FLAP_US - 1) <= FLAP_US
        elif fact.action == "acknowledged" and fact.alert_id in began:
            rule.to_acknowledge.append(fact.time_us - began[fact.alert_id])
        elif fact.action == "resolved":
            ended[place] = fact.time_us
            if fact.alert_id in began:
                rule.to_resolve.append(fact.time_us - began.pop(fact.alert_id))
    noisy = sorted(rules.items(), key=lambda item: (-item[1].fired, item[0]))[:RULES_MAX]
    return AlertStatistics(
        fired=actions["fired"],
        resolved=actions["resolved"],
        acknowledged=actions["acknowledged"],
        by_severity={name: severities[name] for name in SEVERITIES[::-1] if severities[name]},
        by_rule=tuple(
            RuleCount(
                rule=name,
                fired=one.fired,
                flaps=one.flaps,
                minutes_to_acknowledge=_minutes(one.to_acknowledge),
                minutes_to_resolve=_minutes(one.to_resolve),
            )
            for name, one in noisy
        ),
        minutes_to_acknowledge=_minutes([t for one in rules.values() for t in one.to_acknowledge]),
        minutes_to_resolve=_minutes([t for one in rules.values() for t in one.to_resolve]),
        flapping=tuple(sorted(name for name, one in rules.items() if one.flaps >= FLAPS_MIN)),
    )


def _minutes(lengths_us: list[int]) -> float | None:
    """Return the mean in minutes, None of nothing."""
    return round(sum(lengths_us) / len(lengths_us) / 60e6, 3) if lengths_us else None
