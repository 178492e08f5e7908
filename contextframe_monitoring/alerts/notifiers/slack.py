"""Slack: one message by an incoming webhook."""

from __future__ import annotations

import json

from contextframe_monitoring.alerts.http_post import Post, post
from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.channel_settings import SlackChannel
from contextframe_monitoring.core.notification import Notification, plain_text

_HEADER_CHARS_MAX = 150
_SECTION_CHARS_MAX = 3000
"""Bounds of Slack's Block Kit."""


class SlackNotifier:
    """Tells a Slack channel. What we quote stands in blocks of plain text: no markup in a name is
    obeyed, nobody is mentioned.
    """

    acknowledges = False

    def __init__(self, channel: SlackChannel, secrets: Secrets) -> None:
        """Nothing is sent yet."""
        self._channel, self._secrets = channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Post the message. Raises `DeliveryError`."""
        channel = self._channel
        post(
            Post(
                url=self._secrets.read("url", channel.url),
                body=json.dumps(message(notification)).encode(),
                headers={"Content-Type": "application/json; charset=utf-8"},
                timeout_seconds=channel.timeout_seconds,
                ca_file=channel.ca_file,
            ),
            self._secrets,
        )
        return Sent()


def message(notification: Notification) -> dict[str, object]:
    """Return the body of the message."""
    blocks = [
        {"type": "header", "text": _plain(notification.title, _HEADER_CHARS_MAX)},
        {"type": "section", "text": _plain(plain_text(notification), _SECTION_CHARS_MAX)},
    ]
    return {"text": _escaped(notification.title), "blocks": blocks, "unfurl_links": False}


def _plain(text: str, chars_max: int) -> dict[str, object]:
    kept = text if len(text) <= chars_max else text[: chars_max - 1] + "…"
    return {"type": "plain_text", "text": kept, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
