"""The notifiers by the type of their channel.

A new one is one file with a class of the protocol `Notifier`, one line here, and the keys of its
table in `core.channel_settings`; in another package it is an entry point of the group
`contextframe_monitoring.notifiers`, used by channels of type `plugin`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from contextframe_monitoring.alerts.notifier import Notifier
from contextframe_monitoring.alerts.notifiers.apprise import APPRISE_HINT, AppriseNotifier
from contextframe_monitoring.alerts.notifiers.dashboard import DashboardNotifier
from contextframe_monitoring.alerts.notifiers.email import EmailNotifier
from contextframe_monitoring.alerts.notifiers.log import LogNotifier
from contextframe_monitoring.alerts.notifiers.pagerduty import PagerDutyNotifier
from contextframe_monitoring.alerts.notifiers.plugin import PluginNotifier, plugin_names
from contextframe_monitoring.alerts.notifiers.slack import SlackNotifier
from contextframe_monitoring.alerts.notifiers.sms import SmsNotifier
from contextframe_monitoring.alerts.notifiers.webhook import WebhookNotifier
from contextframe_monitoring.alerts.secrets import Secrets, missing_secrets
from contextframe_monitoring.core.channel_settings import (
    AppriseChannel,
    Channel,
    PluginChannel,
    type_of,
)

NOTIFIERS: dict[str, Callable[[Any, Secrets], Notifier]] = {
    "slack": SlackNotifier,
    "email": EmailNotifier,
    "pagerduty": PagerDutyNotifier,
    "sms": SmsNotifier,
    "webhook": WebhookNotifier,
    "log": LogNotifier,
    "dashboard": DashboardNotifier,
    "apprise": AppriseNotifier,
    "plugin": PluginNotifier,
}


def notifier_of(name: str, channel: Channel, environ: Mapping[str, str]) -> Notifier:
    """Return what tells a channel. Nothing is read or opened yet."""
    return NOTIFIERS[type_of(channel)](channel, Secrets(f"channels.{name}", environ))


def lacking(name: str, channel: Channel, environ: Mapping[str, str]) -> list[str]:
    """Return what a channel needs and does not have, in words: secrets, packages."""
    problems = missing_secrets(name, channel, environ)
    if isinstance(channel, AppriseChannel) and importlib.util.find_spec("apprise") is None:
        problems.append(APPRISE_HINT)
    if isinstance(channel, PluginChannel) and channel.notifier not in plugin_names():
        known = ", ".join(plugin_names()) or "none"
        problems.append(f"notifier {channel.notifier!r} is not installed, of plug-ins {known} are")
    return problems
