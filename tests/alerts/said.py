"""A notification for notifiers to send."""

from __future__ import annotations

from typing import Any

from contextframe_monitoring.alerts.notifier import Notifier
from contextframe_monitoring.alerts.registry import notifier_of
from contextframe_monitoring.core.channel_settings import channels_from
from contextframe_monitoring.core.notification import Kind, Notification, compose
from tests.clocks import NOW_US
from tests.core.delivered import made_alert


def notification(kind: Kind = "firing", **changes: Any) -> Notification:
    """Return what is said about one alert."""
    over = kind == "resolved"
    alert = made_alert(
        "a1",
        **{
            "group": {"provider": "anthropic"},
            "details": {"runbook_url": "https://wiki.example.org/cost"},
            **({"state": "resolved", "resolved_us": NOW_US} if over else {}),
            **changes,
        },
    )
    return compose(
        kind,
        delivery_id="d" * 32,
        topic="rule=HighDailyCost",
        firing=[] if over else [alert],
        resolved=[alert] if over else [],
        at_us=NOW_US,
    )


def notifier(table: dict[str, Any], environ: dict[str, str] | None = None) -> Notifier:
    """Return what tells the channel of a table."""
    channel = channels_from({"ops": table}, "here")["ops"]
    return notifier_of("ops", channel, environ or {})
