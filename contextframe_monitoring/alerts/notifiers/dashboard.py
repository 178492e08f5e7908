"""The dashboard: every notification stands in the state of the store, for whoever looks."""

from __future__ import annotations

from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.channel_settings import DashboardChannel
from contextframe_monitoring.core.notification import Notification


class DashboardNotifier:
    """Tells nobody: who sends notes what was sent (`store.notification_log`), and that is it."""

    acknowledges = True

    def __init__(self, channel: DashboardChannel, secrets: Secrets) -> None:
        """There is nothing to set up."""
        del channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Count it as told."""
        del notification
        return Sent()
