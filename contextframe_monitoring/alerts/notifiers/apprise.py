"""Whatever apprise knows how to reach (extra `notify`)."""

from __future__ import annotations

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.alert import Severity
from contextframe_monitoring.core.channel_settings import AppriseChannel
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.notification import Notification, plain_text

_TYPES: dict[Severity, str] = {
    "info": "info",
    "warning": "warning",
    "error": "failure",
    "critical": "failure",
}
APPRISE_HINT = "channels of type apprise need: pip install 'contextframe-monitoring[notify]'"


class AppriseNotifier:
    """Tells one service of apprise's."""

    acknowledges = False

    def __init__(self, channel: AppriseChannel, secrets: Secrets) -> None:
        """Nothing is loaded yet."""
        self._channel, self._secrets = channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Send it. Raises `DeliveryError`, or `UnavailableError` when apprise is not installed."""
        try:
            import apprise
        except ImportError as error:
            raise UnavailableError(APPRISE_HINT) from error
        service = apprise.Apprise()
        if not service.add(self._secrets.read("url", self._channel.url)):
            raise DeliveryError("its url is none that apprise knows")
        over = notification.kind == "resolved"
        reached = service.notify(
            title=notification.title,
            body=plain_text(notification),
            notify_type="success" if over else _TYPES[notification.severity],
            body_format="text",
        )
        if not reached:
            raise DeliveryError("apprise could not deliver it; its own log says why")
        return Sent()
