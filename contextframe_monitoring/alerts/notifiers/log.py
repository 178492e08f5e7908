"""The log: one line of JSON for each notification."""

from __future__ import annotations

import json
import logging
import os

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.alert import Severity
from contextframe_monitoring.core.channel_settings import LogChannel
from contextframe_monitoring.core.notification import Notification, as_json

_LEVELS: dict[Severity, int] = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_log = logging.getLogger(__name__)


class LogNotifier:
    """Appends to a file of its own, renamed once when it is full, or to the program's log."""

    acknowledges = True

    def __init__(self, channel: LogChannel, secrets: Secrets) -> None:
        """Nothing is opened yet."""
        del secrets
        self._channel = channel

    def send(self, notification: Notification) -> Sent:
        """Write the line. Raises `DeliveryError` when the file refuses."""
        text = json.dumps(as_json(notification), ensure_ascii=False)
        if self._channel.path is None:
            _log.log(_LEVELS[notification.severity], "notification.sent %s", text)
            return Sent()
        try:
            self._append(os.path.expanduser(self._channel.path), f"{text}\n".encode())
        except OSError as error:
            raise DeliveryError(f"its file refuses: {error.strerror}") from None
        return Sent()

    def _append(self, path: str, data: bytes) -> None:
        full = os.path.exists(path) and (
            os.path.getsize(path) + len(data) > self._channel.size_bytes_max
        )
        if full:
            os.replace(path, f"{path}.1")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
            file.write(data)
