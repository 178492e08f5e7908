"""Our own webhook: the notification as signed JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from contextframe_monitoring.alerts.http_post import Post, post
from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.channel_settings import WebhookChannel
from contextframe_monitoring.core.notification import Notification, as_json
from contextframe_monitoring.core.secret import Secret
from contextframe_monitoring.core.webhook_signature import (
    DELIVERY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signature,
)


class WebhookNotifier:
    """Posts to one address. The signature is over the time of sending, so that a retry is new."""

    acknowledges = True

    def __init__(
        self,
        channel: WebhookChannel,
        secrets: Secrets,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is sent yet."""
        self._channel, self._secrets, self._seconds = channel, secrets, seconds

    def send(self, notification: Notification) -> Sent:
        """Post the notification. Raises `DeliveryError`."""
        channel, secrets = self._channel, self._secrets
        url = channel.url
        body = json.dumps(as_json(notification), ensure_ascii=False).encode()
        timestamp = int(self._seconds())
        key = secrets.read("signing_key", channel.signing_key)
        more = {name: secrets.read(f"headers.{name}", it) for name, it in channel.headers.items()}
        post(
            Post(
                url=secrets.read("url", url) if isinstance(url, Secret) else url,
                body=body,
                headers={
                    **more,
                    "Content-Type": "application/json; charset=utf-8",
                    DELIVERY_HEADER: notification.delivery_id,
                    TIMESTAMP_HEADER: str(timestamp),
                    SIGNATURE_HEADER: signature(key, timestamp, body),
                },
                timeout_seconds=channel.timeout_seconds,
                ca_file=channel.ca_file,
            ),
            secrets,
        )
        return Sent()
