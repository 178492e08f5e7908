"""From steps to alerts: what is written when rules and groups change state. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from contextframe_monitoring.alerts.judgement import Judged
from contextframe_monitoring.core.alert import SEVERITIES, Alert
from contextframe_monitoring.core.alert_text import annotated, said
from contextframe_monitoring.core.incidents import incident_of
from contextframe_monitoring.core.rule_step import Change, Memory, step
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.store.alert_book import Entry, Place

MOVED_SHARE = 0.1
"""An open alert is written anew when its value moved by this much."""
BY_RULE = "rule"


@dataclass(frozen=True, slots=True)
class Transition:
    """One rule and group, and what this evaluation makes of it."""

    rule: Rule
    place: Place
    judged: Judged
    memory: Memory
    change: Change
    reason: str

    @property
    def group(self) -> dict[str, str]:
        """Dimension -> value."""
        keys = self.rule.group_by or _OWN_KEYS.get(self.rule.signal, ())
        return dict(zip(keys, self.place.labels, strict=False))


_OWN_KEYS: Mapping[str, tuple[str, ...]] = {
    "rule_problems": ("rule",),
    "export_failures": ("target",),
}


@dataclass(slots=True)
class Advance:
    """All of one evaluation: the transitions, and what is remembered from here on."""

    transitions: list[Transition] = field(default_factory=list)
    memories: dict[Place, Memory | None] = field(default_factory=dict)


def advance(
    rule: Rule,
    groups: Mapping[tuple[str, ...], Judged],
    memories: Mapping[Place, Memory],
    open_ids: Mapping[Place, str],
    now_us: int,
    credit_us_max: int,
    into: Advance,
) -> None:
    """Take one step for each group of a rule. An alert that is open already is gone on with."""
    for labels, judged in groups.items():
        place = Place(rule.name, labels)
        before = memories.get(place)
        if before is None and judged.verdict != "met":
            continue
        stepped = step(
            before,
            judged.verdict,
            now_us,
            for_us=rule.for_us,
            keep_firing_for_us=rule.keep_firing_for_us,
            credit_us_max=credit_us_max,
        )
        memory = stepped.memory
        if memory is not None and not memory.alert_id:
            alert_id = open_ids.get(place) or alert_id_of(place, memory.since_us)
            memory = msgspec.structs.replace(memory, alert_id=alert_id)
        into.memories[place] = memory
        into.transitions.append(
            Transition(
                rule, place, judged, memory or before or _NOTHING, stepped.change, stepped.reason
            )
        )


_NOTHING = Memory(state="pending", since_us=0)


def alert_id_of(place: Place, since_us: int) -> str:
    """Return the id of the alert of a place that began at a time: always the same one."""
    seed = msgspec.json.encode((place, since_us))
    return "a-" + hashlib.blake2b(seed, digest_size=8).hexdigest()


def entries_of(
    transitions: Iterable[Transition],
    current: Mapping[str, Alert],
    others: Sequence[Alert],
    now_us: int,
    within_us: int,
) -> list[Entry]:
    """Return what is to be written, given the alerts as they stand now and all `others` that are
    open.
    """
    entries: list[Entry] = []
    recent = [other for other in others if other.state == "firing"]
    for found in transitions:
        alert = current.get(found.memory.alert_id)
        entry = _entry(found, alert, now_us)
        if entry is None:
            continue
        if entry.action == "fired" and entry.alert.incident_id is None:
            incident = incident_of(entry.alert, recent, within_us)
            entry = entry._replace(alert=dataclasses.replace(entry.alert, incident_id=incident))
            recent.append(entry.alert)
        entries.append(entry)
    return entries


def _entry(found: Transition, alert: Alert | None, now_us: int) -> Entry | None:
    if found.change == "pending":
        return Entry(_new(found, now_us)) if alert is None else None
    if found.change == "fired":
        if alert is not None and alert.state == "firing":
            return None  # reopened, or an application's own
        fired = alert if alert is not None else _new(found, now_us)
        return Entry(_fired(fired, found, now_us), "fired", BY_RULE, found.reason)
    if alert is None or alert.state == "resolved" or found.change == "dropped":
        return None  # somebody resolved it: it is over when the condition is
    if found.change == "resolved":
        over = dataclasses.replace(
            alert,
            state="resolved",
            resolved_us=now_us,
            resolved_by=BY_RULE,
            held_back_by=None,
            silenced_until_us=None,
            changed_us=now_us,
        )
        return Entry(over, "resolved", BY_RULE, found.reason)
    return Entry(_measured(alert, found, now_us)) if _has_moved(alert, found.judged) else None


def dropped_ids(transitions: Iterable[Transition]) -> list[str]:
    """Return the alerts that were pending and did not last."""
    return [found.memory.alert_id for found in transitions if found.change == "dropped"]


def _new(found: Transition, now_us: int) -> Alert:
    rule, judged = found.rule, found.judged
    return Alert(
        alert_id=found.memory.alert_id,
        rule=rule.name,
        signal=rule.signal,
        group=found.group,
        severity=rule.severity,
        state="pending",
        message=said(rule, found.group, judged.value, judged.bound),
        details=annotated(rule, found.group, judged.value, judged.bound),
        labels=dict(rule.labels),
        channels=tuple(rule.channels),
        unit=rule.unit,
        threshold=None if judged.bound is None else judged.bound.threshold,
        actual=judged.value,
        created_us=found.memory.since_us,
        changed_us=now_us,
        revision=0,
    )


def _fired(alert: Alert, found: Transition, now_us: int) -> Alert:
    told = _measured(alert, found, now_us)
    return dataclasses.replace(
        told, state="firing", fired_us=now_us, resolved_us=None, resolved_by=None
    )


def _measured(alert: Alert, found: Transition, now_us: int) -> Alert:
    rule, judged = found.rule, found.judged
    return dataclasses.replace(
        alert,
        severity=rule.severity,
        message=said(rule, found.group, judged.value, judged.bound),
        details={**alert.details, **annotated(rule, found.group, judged.value, judged.bound)},
        threshold=None if judged.bound is None else judged.bound.threshold,
        actual=judged.value,
        changed_us=now_us,
    )


def _has_moved(alert: Alert, judged: Judged) -> bool:
    if judged.value is None or judged.verdict == "unknown":
        return False
    if alert.actual is None:
        return True
    scale = max(abs(alert.actual), abs(alert.threshold or 0.0))
    return abs(judged.value - alert.actual) > MOVED_SHARE * scale


def held_back(firing: Iterable[Alert], rules: Mapping[str, Rule]) -> dict[str, str | None]:
    """Return for each alert the worse one that says it already, None where there is none: one of
    a rule with the same subject, for the same group.
    """
    worst: dict[tuple[object, ...], Alert] = {}
    subjects: dict[str, tuple[object, ...]] = {}
    for alert in firing:
        rule = rules.get(alert.rule)
        if rule is None:
            continue
        subject = (rule.subject, tuple(sorted(alert.group.items())))
        subjects[alert.alert_id] = subject
        known = worst.get(subject)
        if known is None or _badness(alert) > _badness(known):
            worst[subject] = alert
    found: dict[str, str | None] = {}
    for alert in firing:
        top = worst.get(subjects.get(alert.alert_id, ()))
        is_worse = top is not None and _badness(top) > _badness(alert)
        found[alert.alert_id] = top.alert_id if top is not None and is_worse else None
    return found


def _badness(alert: Alert) -> int:
    return SEVERITIES.index(alert.severity)
