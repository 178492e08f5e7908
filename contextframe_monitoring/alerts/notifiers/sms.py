"""Text messages through a gateway: Twilio's, or one that takes JSON."""

from __future__ import annotations

import base64
import json
import urllib.parse

from contextframe_monitoring.alerts.http_post import Post, post
from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.channel_settings import SmsChannel
from contextframe_monitoring.core.notification import Notification, line

TEXT_CHARS_MAX = 320
"""Two parts of a message, as long as every character is in the phones' own alphabet."""
_TWILIO = "https://api.twilio.com"


class SmsNotifier:
    """Texts some numbers: one that is refused keeps nothing from the others."""

    acknowledges = False

    def __init__(self, channel: SmsChannel, secrets: Secrets) -> None:
        """Nothing is sent yet."""
        self._channel, self._secrets = channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Text every number. Raises `DeliveryError` when nobody was reached."""
        refused: dict[str, str] = {}
        last: DeliveryError | None = None
        for number in self._channel.numbers:
            try:
                post(self._message(number, text_of(notification)), self._secrets)
            except DeliveryError as error:
                refused[number], last = error.problem, error
        if last is not None and len(refused) == len(self._channel.numbers):
            raise last
        return Sent(refused)

    def _message(self, number: str, text: str) -> Post:
        channel = self._channel
        token = self._secrets.read("token", channel.token)
        if channel.gateway == "json":
            url, kind, auth = channel.url, "application/json", f"Bearer {token}"
            body = json.dumps({"to": number, "from": channel.sender, "text": text}).encode()
        else:
            account = urllib.parse.quote(channel.account or "", safe="")
            url = f"{channel.url or _TWILIO}/2010-04-01/Accounts/{account}/Messages.json"
            kind = "application/x-www-form-urlencoded"
            form = {"To": number, "From": channel.sender, "Body": text}
            body = urllib.parse.urlencode(form).encode()
            auth = "Basic " + base64.b64encode(f"{channel.account}:{token}".encode()).decode()
        return Post(
            url=url or "",
            body=body,
            headers={"Content-Type": kind, "Authorization": auth},
            timeout_seconds=channel.timeout_seconds,
            ca_file=channel.ca_file,
        )


def text_of(notification: Notification) -> str:
    """Return the message: the title, and the address of a page where there is one."""
    url = next((link.url for link in notification.links if link.url.startswith("http")), "")
    room = TEXT_CHARS_MAX - len(url) - 1 if url and len(url) < TEXT_CHARS_MAX // 2 else 0
    return f"{line(notification.title, room)} {url}" if room else line(notification.title)
