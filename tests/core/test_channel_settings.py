"""The tables `[channels.NAME]`: every key checked, and no secret in any message."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from contextframe_monitoring.core.channel_settings import (
    CHANNELS,
    EmailChannel,
    SlackChannel,
    channels_from,
    type_of,
)
from contextframe_monitoring.core.config import MonitoringConfig, changed, config_from
from contextframe_monitoring.core.errors import InvalidError, MonitoringError, UnknownKeyError
from contextframe_monitoring.core.secret import Secret

SECRET = {"env": "OPS_SLACK_URL"}
WHERE = "monitoring.toml"


@pytest.mark.requirement("001:config:channels")
def test_a_table_becomes_a_channel_of_its_type() -> None:
    found = channels_from(
        {
            "ops-slack": {"type": "slack", "url": SECRET, "min_severity": "error"},
            "mail": {
                "type": "email",
                "host": "smtp.example.org",
                "password": {"file": "/run/secrets/mail"},
                "sender": "monitoring@example.org",
                "recipients": ["a@example.org"],
            },
        },
        WHERE,
    )
    assert found == {
        "ops-slack": SlackChannel(url=Secret(env="OPS_SLACK_URL"), min_severity="error"),
        "mail": EmailChannel(
            host="smtp.example.org",
            password=Secret(file="/run/secrets/mail"),
            sender="monitoring@example.org",
            recipients=["a@example.org"],
        ),
    }
    assert [type_of(channel) for channel in found.values()] == ["slack", "email"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"type": "slak"},
            "channels.ops.type = 'slak' is not allowed: expected one of slack, email, pagerduty,"
            " sms, webhook, log, dashboard, apprise, plugin",
        ),
        ({}, "channels.ops.type = None is not allowed: expected one of slack, email, pagerduty,"),
        (
            {"type": "slack", "urll": SECRET},
            "unknown key 'channels.ops.urll' in monitoring.toml: did you mean 'channels.ops.url'?",
        ),
        ({"type": "slack"}, "channels.ops.url = None is not allowed: type 'slack' needs it"),
        (
            {"type": "slack", "url": SECRET, "min_severity": "high"},
            "channels.ops.min_severity = 'high' is not allowed:"
            " expected one of info, warning, error, critical",
        ),
        (
            {"type": "slack", "url": SECRET, "timeout_seconds": 0},
            "channels.ops.timeout_seconds = 0 is not allowed: expected float > 0.0",
        ),
        (
            {"type": "sms", "token": SECRET, "sender": "x", "numbers": ["+49"]},
            'channels.ops.account = None is not allowed: gateway = "twilio" needs it',
        ),
        (
            {"type": "sms", "gateway": "json", "token": SECRET, "sender": "x", "numbers": ["+49"]},
            'channels.ops.url = None is not allowed: gateway = "json" needs it',
        ),
        (
            {"type": "email", "host": "h", "sender": "a@b", "recipients": ["a@b\r\nBcc: c@d"]},
            "channels.ops.recipients = ['a@b\\r\\nBcc: c@d'] is not allowed:"
            " expected str matching regex",
        ),
        (
            {"type": "email", "host": "h", "sender": "a@b", "recipients": []},
            "channels.ops.recipients = [] is not allowed: expected array of length >= 1",
        ),
    ],
)
def test_a_wrong_table_is_refused_by_its_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(MonitoringError) as caught:
        channels_from({"ops": table}, WHERE)
    assert str(caught.value).startswith(message)


HIDDEN = "xoxb-very-secret"


@pytest.mark.parametrize(
    "table",
    [
        {"type": "slack", "url": HIDDEN},
        {"type": "slack", "url": {"env": HIDDEN, "file": HIDDEN}},
        {"type": "slack", "url": {"value": HIDDEN}},
        {"type": "pagerduty", "routing_key": HIDDEN},
        {"type": "webhook", "url": [HIDDEN], "signing_key": SECRET},
        {"type": "webhook", "url": "https://x", "signing_key": SECRET, "headers": {"a": HIDDEN}},
    ],
)
def test_a_secret_that_stands_in_the_file_is_refused_unseen(table: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as caught:
        channels_from({"ops": table}, WHERE)
    assert str(caught.value).endswith(
        " = (not shown) is not allowed: secrets stand elsewhere:"
        ' expected { env = "VARIABLE" } or { file = "PATH" }'
    )
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "x" * 65, "é"])
def test_a_name_that_would_not_fit_everywhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="a channel's name has letters, digits, - and _"):
        channels_from({name: {"type": "log"}}, WHERE)


def test_what_is_no_table_is_refused() -> None:
    for tables in ([], "x", {"ops": "https://hooks.slack.com/secret"}):
        with pytest.raises(InvalidError) as caught:
            channels_from(tables, WHERE)
        assert "hooks.slack.com" not in str(caught.value)
    with pytest.raises(InvalidError, match=r"51 tables.*at most 50"):
        channels_from({f"c{n}": {"type": "log"} for n in range(51)}, WHERE)


DASHBOARD = {"type": "dashboard"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"alerts": {"channels": ["ops-slak"]}},
            "alerts.channels = 'ops-slak' is not allowed: expected one of the channels: ops, mail",
        ),
        (
            {
                "alerts": {
                    "channels": ["ops"],
                    "escalation": [{"after_seconds": 60, "channels": ["boss"]}],
                }
            },
            "alerts.escalation = 'boss' is not allowed: expected one of the channels: ops, mail",
        ),
        (
            {"alerts": {"escalation": [{"after_seconds": 60, "channels": ["ops"]}]}},
            "alerts.channels = [] is not allowed: with an escalation it must say who is told first",
        ),
        (
            {"channels": {"ops": {**DASHBOARD, "fallback": "ops"}}},
            "channels.ops.fallback = 'ops' is not allowed: expected another channel (ops),"
            " and no way back",
        ),
        (
            {
                "channels": {
                    "ops": {**DASHBOARD, "fallback": "mail"},
                    "mail": {**DASHBOARD, "fallback": "ops"},
                }
            },
            "channels.ops.fallback = 'mail' is not allowed: expected another channel (ops, mail),"
            " and no way back",
        ),
        (
            {"channels": {}, "alerts": {"channels": ["ops"]}},
            "alerts.channels = 'ops' is not allowed: expected one of the channels:"
            " no channel is configured: add a table [channels.NAME]",
        ),
    ],
)
def test_channels_that_are_named_must_exist(settings: dict[str, Any], message: str) -> None:
    tables = {"ops": DASHBOARD, "mail": DASHBOARD}
    with pytest.raises(InvalidError) as caught:
        config_from({"channels": tables, **settings}, WHERE, {})
    assert str(caught.value) == message


def test_a_program_may_give_channels_as_tables_too() -> None:
    tables: Any = {"ops": {"type": "slack", "url": SECRET}}
    config = MonitoringConfig(channels=tables)
    assert config.channels == {"ops": SlackChannel(url=Secret(env="OPS_SLACK_URL"))}
    with pytest.raises(UnknownKeyError):
        changed(config, {"channels": {"ops": {"type": "log", "pth": "x"}}})


def test_every_type_has_a_docstring_that_says_what_it_is() -> None:
    for kind in CHANNELS.values():
        assert kind.__doc__


def test_who_has_no_channels_does_not_load_what_describes_them() -> None:
    """Every process that records reads the configuration: it has to begin quickly."""
    program = (
        "import sys; from contextframe_monitoring.core.config import MonitoringConfig;"
        "MonitoringConfig(); print('contextframe_monitoring.core.channel_settings' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout == b"False\n"
