"""PagerDuty: an incident is triggered, acknowledged and resolved with its alerts (events API 2)."""

from __future__ import annotations

import json
from typing import Any, Literal

from contextframe_monitoring.alerts.http_post import Post, post
from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.channel_settings import PagerDutyChannel
from contextframe_monitoring.core.notification import Kind, Notification, as_json
from contextframe_monitoring.core.windows import iso

Action = Literal["trigger", "acknowledge", "resolve"]

_ACTIONS: dict[Kind, tuple[Action, ...]] = {
    "firing": ("trigger",),
    "escalation": ("trigger",),
    "review": ("trigger",),
    "acknowledged": ("acknowledge",),
    "resolved": ("resolve",),
    "test": ("trigger", "resolve"),  # a trial leaves no incident behind
}


class PagerDutyNotifier:
    """Tells PagerDuty. One group of alerts is one incident: they share its dedup key."""

    acknowledges = True

    def __init__(self, channel: PagerDutyChannel, secrets: Secrets) -> None:
        """Nothing is sent yet."""
        self._channel, self._secrets = channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Send the events. Raises `DeliveryError`."""
        channel = self._channel
        key = self._secrets.read("routing_key", channel.routing_key)
        for action in _ACTIONS[notification.kind]:
            post(
                Post(
                    url=channel.url,
                    body=json.dumps(event(action, notification, key)).encode(),
                    headers={"Content-Type": "application/json"},
                    timeout_seconds=channel.timeout_seconds,
                    ca_file=channel.ca_file,
                ),
                self._secrets,
            )
        return Sent()


def event(action: Action, notification: Notification, routing_key: str) -> dict[str, Any]:
    """Return one event."""
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": notification.thread,
    }
    if action != "trigger":
        return found
    said = as_json(notification)
    details = ("alerts", "omitted", "lines", "analytics", "recommendation", "delivery_id")
    return {
        **found,
        "client": "contextframe-monitoring",
        "payload": {
            "summary": notification.title,
            "source": "contextframe-monitoring",
            "severity": notification.severity,
            "timestamp": iso(notification.at_us, "UTC"),
            "custom_details": {name: said[name] for name in details},
        },
        "links": [
            {"href": link.url, "text": link.name}
            for link in notification.links
            if link.url.startswith("http")
        ],
    }
