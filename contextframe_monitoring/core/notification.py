"""A notification: what one channel is told at once, in aggregates, as data of bounded size."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contextframe_monitoring.core.advice import NO_ADVICE, SIGNALS
from contextframe_monitoring.core.alert import SEVERITIES, Alert, Severity
from contextframe_monitoring.core.privacy import masked_text
from contextframe_monitoring.core.routing import Notice
from contextframe_monitoring.core.sayings import cell
from contextframe_monitoring.core.windows import iso

Kind = Literal["firing", "resolved", "acknowledged", "escalation", "review", "test"]

ALERTS_MAX = 20
"""Alerts that a notification names; the others are counted."""
LINE_CHARS_MAX = 300
_TITLE_CHARS_MAX = 160
_GROUP_MAX = 8
_URL_CHARS_MAX = 500
_SAID = ("summary", "description")
_RUNBOOKS = ("runbook_url", "runbook", "dashboard_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedAlert:
    """What is said of one alert."""

    alert_id: str
    rule: str
    severity: Severity
    state: str
    message: str
    group: Mapping[str, str]
    threshold: float | None
    actual: float | None
    unit: str
    fired_us: int | None
    resolved_us: int | None
    acknowledged_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where to look."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a channel is told. Every text is one printable line of bounded length."""

    delivery_id: str
    """The same when this is sent again because nobody knows whether it arrived: receivers tell
    doubles by it.
    """
    thread: str
    """The same for everything that is said about one group of alerts."""
    kind: Kind
    severity: Severity
    title: str
    alerts: tuple[NotedAlert, ...]
    firing: int
    resolved: int
    omitted: int
    """Alerts that are counted but not named."""
    lines: tuple[str, ...] = ()
    """What else is to be said: what the rule's author wrote, why a review is due."""
    recommendation: str | None = None
    analytics: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    at_us: int


def line(text: str, chars_max: int = LINE_CHARS_MAX) -> str:
    """Return a text as one printable line without credentials, at most `chars_max` characters."""
    plain = "".join(char if char.isprintable() else " " for char in text[: 4 * chars_max])
    return masked_text(" ".join(plain.split()), chars_max)


def thread_of(topic: str) -> str:
    """Return the name of a group of alerts on the wire: 32 hex characters."""
    return hashlib.blake2b(topic.encode("utf-8", "replace"), digest_size=16).hexdigest()


def delivery_id_of(channel: str, topic: str, number: int) -> str:
    """Return the id of the notification that a channel gets after `number` others on a topic."""
    named = f"{channel}\0{number}\0{topic}".encode("utf-8", "replace")
    return hashlib.blake2b(named, digest_size=16).hexdigest()


def compose(
    kind: Kind,
    *,
    delivery_id: str,
    topic: str,
    firing: Sequence[Alert],
    resolved: Sequence[Alert],
    gone: int = 0,
    at_us: int,
    dashboard_url: str | None = None,
) -> Notification:
    """Return what is to be said about some alerts: the worst and oldest first. `gone` are resolved
    ones that nobody knows any more.
    """
    alerts = [*sorted(firing, key=_rank), *sorted(resolved, key=_rank)]
    severity = worst(alerts)
    first = alerts[0] if alerts else None
    return Notification(
        delivery_id=delivery_id,
        thread=thread_of(topic),
        kind=kind,
        severity=severity,
        title=_title(kind, severity, alerts, len(firing), len(resolved) + gone),
        alerts=tuple(_noted(alert) for alert in alerts[:ALERTS_MAX]),
        firing=len(firing),
        resolved=len(resolved) + gone,
        omitted=max(0, len(alerts) - ALERTS_MAX) + gone,
        lines=tuple(text for name in _SAID if (text := _detail(first, name))),
        recommendation=None if kind == "resolved" else _recommendation(first),
        links=_links(first, dashboard_url),
        at_us=at_us,
    )


def compose_notice(
    notice: Notice, *, delivery_id: str, at_us: int, dashboard_url: str | None = None
) -> Notification:
    """Return what is to be said about something that is no alert."""
    title = f"[{_WORDS['review']}] {notice.title}"
    return Notification(
        delivery_id=delivery_id,
        thread=thread_of(notice.topic),
        kind="review",
        severity=notice.severity,
        title=line(title, _TITLE_CHARS_MAX),
        alerts=(),
        firing=0,
        resolved=0,
        omitted=max(0, len(notice.lines) - ALERTS_MAX),
        lines=tuple(line(text) for text in notice.lines[:ALERTS_MAX]),
        recommendation=None if notice.recommendation is None else line(notice.recommendation),
        links=_links(None, dashboard_url),
        at_us=at_us,
    )


def trial(channel: str, delivery_id: str, at_us: int) -> Notification:
    """Return a notification that only shows that a channel works."""
    return Notification(
        delivery_id=delivery_id,
        thread=thread_of(f"test {delivery_id}"),
        kind="test",
        severity="info",
        title=f"[TEST] contextframe-monitoring reaches channel {channel}",
        alerts=(),
        firing=0,
        resolved=0,
        omitted=0,
        lines=("Nothing is wrong: somebody tries whether this channel works.",),
        at_us=at_us,
    )


def with_analytics(notification: Notification, lines: Sequence[str]) -> Notification:
    """Return the notification with figures that explain it."""
    return dataclasses.replace(notification, analytics=tuple(line(text) for text in lines))


def worst(alerts: Sequence[Alert]) -> Severity:
    """Return the worst severity among alerts, the mildest when there are none."""
    return SEVERITIES[max((SEVERITIES.index(alert.severity) for alert in alerts), default=0)]


def _rank(alert: Alert) -> tuple[int, int, str]:
    return (-SEVERITIES.index(alert.severity), alert.created_us, alert.alert_id)


_WORDS: dict[Kind, str] = {
    "firing": "FIRING",
    "resolved": "RESOLVED",
    "acknowledged": "ACKNOWLEDGED",
    "escalation": "ESCALATED",
    "review": "CODE REVIEW",
    "test": "TEST",
}


def _title(
    kind: Kind, severity: Severity, alerts: Sequence[Alert], firing: int, resolved: int
) -> str:
    counts = [f"{firing} firing"] if firing else []
    counts += [f"{resolved} resolved"] if resolved else []
    rules = list(dict.fromkeys(alert.rule for alert in alerts))
    named = ", ".join(cell(rule) for rule in rules[:3]) + (", ..." if len(rules) > 3 else "")
    said = f"[{_WORDS[kind]}: {severity}] {named or 'alerts'}"
    if len(alerts) == 1:
        return line(f"{said}: {_message(alerts[0])}", _TITLE_CHARS_MAX)
    return line(f"{said} ({', '.join(counts)})" if counts else said, _TITLE_CHARS_MAX)


def _message(alert: Alert) -> str:
    """Return what an alert says, without the name of its rule: that stands before it anyway."""
    return alert.message.removeprefix(f"{alert.rule}: ")


def _noted(alert: Alert) -> NotedAlert:
    group = {line(k, 64): line(v, 128) for k, v in list(alert.group.items())[:_GROUP_MAX]}
    return NotedAlert(
        alert_id=alert.alert_id,
        rule=line(alert.rule, 128),
        severity=alert.severity,
        state=alert.state,
        message=line(_message(alert)),
        group=group,
        threshold=alert.threshold,
        actual=alert.actual,
        unit=line(alert.unit, 32),
        fired_us=alert.fired_us,
        resolved_us=alert.resolved_us,
        acknowledged_by=None if alert.acknowledged_by is None else line(alert.acknowledged_by, 64),
    )


def _detail(alert: Alert | None, name: str) -> str | None:
    found = None if alert is None else alert.details.get(name)
    return line(found) if found else None


def _recommendation(alert: Alert | None) -> str | None:
    if alert is None:
        return None
    return _detail(alert, "recommendation") or (SIGNALS.get(alert.signal, NO_ADVICE).recommendation)


def _links(alert: Alert | None, dashboard_url: str | None) -> tuple[Link, ...]:
    """Return the rule's own links first: only addresses of the web, nothing that a client would
    run.
    """
    found = [] if alert is None else [(name, alert.details.get(name)) for name in _RUNBOOKS]
    links = [
        Link(name=name.removesuffix("_url"), url=line(url, _URL_CHARS_MAX))
        for name, url in (*found, ("dashboard", dashboard_url))
        if url and url.startswith(("https://", "http://")) and " " not in url
    ]
    if alert is not None:
        links.append(Link(name="alert", url=f"monitoring://alerts/{alert.alert_id}"))
    return tuple(links)


def plain_text(notification: Notification) -> str:
    """Return the notification as lines of text, without its title."""
    lines = list(notification.lines)
    lines += [_alert_line(alert) for alert in notification.alerts]
    if notification.omitted:
        lines.append(f"... and {notification.omitted:,} more")
    if notification.analytics:
        lines += ["", *notification.analytics]
    if notification.recommendation:
        lines += ["", f"What to do: {notification.recommendation}"]
    lines += [f"{link.name}: {link.url}" for link in notification.links]
    lines.append(f"at {iso(notification.at_us, 'UTC')}")
    return "\n".join(lines).strip()


def _alert_line(alert: NotedAlert) -> str:
    said = f"- {alert.severity} {cell(alert.rule)}: {alert.message}"
    if alert.group:
        said += f" [{', '.join(f'{k}={cell(v)}' for k, v in alert.group.items())}]"
    if alert.state == "resolved":
        return f"{said}, resolved"
    return f"{said}, acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else said


def as_json(notification: Notification) -> dict[str, Any]:
    """Return the notification as a JSON object: what the webhook, the log and dashboards carry."""
    found = dataclasses.asdict(notification)
    found["at"] = iso(found.pop("at_us"), "UTC")
    for alert in found["alerts"]:
        for name in ("fired", "resolved"):
            time_us = alert.pop(f"{name}_us")
            alert[f"{name}_at"] = None if time_us is None else iso(time_us, "UTC")
    return {"version": 1, **found}
