"""A notifier of another package: a class behind an entry point."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.secrets import Secrets, with_values
from contextframe_monitoring.core.channel_settings import PluginChannel
from contextframe_monitoring.core.errors import InvalidError, MonitoringError, UnavailableError
from contextframe_monitoring.core.notification import Notification

ENTRY_POINTS = "contextframe_monitoring.notifiers"


def plugin_names() -> list[str]:
    """Return the names of the notifiers that other packages bring."""
    return sorted(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS))


class PluginNotifier:
    """Tells through a foreign class: it is called with its options, and has a method `send` that
    takes a `Notification`. What that raises is a failed delivery.
    """

    acknowledges = True

    def __init__(self, channel: PluginChannel, secrets: Secrets) -> None:
        """Nothing is loaded yet."""
        self._channel, self._secrets = channel, secrets
        self._made: Any = None

    def send(self, notification: Notification) -> Sent:
        """Send it. Raises a `MonitoringError`, whatever the foreign class raises."""
        try:
            self._made = self._made or self._load()
            found = self._made.send(notification)
        except MonitoringError:
            raise
        except Exception as error:  # noqa: BLE001 - a foreign class may raise anything
            said = self._secrets.scrubbed(f"{type(error).__name__}: {error}")
            raise DeliveryError(f"notifier {self._channel.notifier!r}: {said}") from None
        return found if isinstance(found, Sent) else Sent()

    def _load(self) -> Any:
        for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
            if point.name == self._channel.notifier:
                try:
                    kind = point.load()
                except Exception as error:  # a foreign package may raise anything
                    raise UnavailableError(
                        f"notifier {point.name!r} of {point.value} can't be loaded: "
                        f"{type(error).__name__}: {error}"
                    ) from error
                return kind(**with_values(self._channel.options, self._secrets))
        known = ", ".join(plugin_names()) or "none is installed"
        raise InvalidError("notifier", self._channel.notifier, f"expected a plug-in: {known}")
