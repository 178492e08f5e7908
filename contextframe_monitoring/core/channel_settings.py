"""The channels that notifications go through: the tables `[channels.NAME]` of the configuration.

A new kind of channel is one class here, one line in `CHANNELS`, and one file in `alerts/notifiers`.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from contextframe_monitoring.core.alert import Severity
from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.secret import STANDS_ELSEWHERE, UNSAID, Secret

CHANNELS_MAX = 50
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_NAME_CHARS_MAX = 64
_PER_HOUR_MAX = 3600
_PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Several = Annotated[list[_Text], msgspec.Meta(min_length=1, max_length=50)]
_Address = Annotated[
    str, msgspec.Meta(pattern=r"^[^@<>,; \r\n\t]+@[^@<>,; \r\n\t]+$", max_length=320)
]
_Addresses = Annotated[list[_Address], msgspec.Meta(min_length=1, max_length=50)]


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every channel has. `type` is the word that its class stands under in `CHANNELS`."""

    min_severity: Severity = "info"
    """Milder alerts don't go here, unless their rule names this channel."""
    send_resolved: bool = True
    """Whether it is told when what it was told is over."""
    fallback: str | None = None
    """Another channel, which is told while this one fails."""
    notifications_per_hour_max: Annotated[int, msgspec.Meta(ge=1, le=_PER_HOUR_MAX)] = 60
    """What comes beyond waits; the worst goes first."""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] = 10.0
    """For one answer of the other side."""


class SlackChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="slack"):
    """An incoming webhook of Slack, or of what speaks like it (Mattermost, Rocket.Chat)."""

    url: Secret
    """The webhook's address: it is a secret."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""


class EmailChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="email"):
    """Mail through an SMTP server."""

    host: _Text
    """The SMTP server."""
    port: _Port = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected; `none` only for a server on this machine."""
    username: _Text | None = None
    """Who logs in; none: nobody does."""
    password: Secret | None = None
    """That account's password."""
    sender: _Address
    """The address that mail comes from."""
    recipients: _Addresses
    """The addresses that it goes to."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""


class PagerDutyChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="pagerduty"):
    """The events API (version 2) of PagerDuty."""

    routing_key: Secret
    """The integration key of a service."""
    url: _Text = _PAGERDUTY
    """Where events go: the address of another region, or of what speaks like it."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""


class SmsChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="sms"):
    """Text messages through a gateway."""

    gateway: Literal["twilio", "json"] = "twilio"
    """`twilio`: its Messages API. `json`: a POST of `{"to", "from", "text"}` for each number, with
    the token as bearer.
    """
    url: _Text | None = None
    """Where messages go; Twilio's own address when there is none."""
    account: _Text | None = None
    """Twilio's account SID."""
    token: Secret
    """Twilio's auth token, or the bearer token of another gateway."""
    sender: _Text
    """The number or name that messages come from."""
    numbers: _Several
    """The numbers that they go to, as +4912345."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""

    def __post_init__(self) -> None:
        """Check what each gateway needs."""
        if self.gateway == "json" and self.url is None:
            raise InvalidError("url", self.url, 'gateway = "json" needs it')
        if self.gateway == "twilio" and self.account is None:
            raise InvalidError("account", self.account, 'gateway = "twilio" needs it')


class WebhookChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="webhook"):
    """A POST of signed JSON."""

    url: _Text | Secret
    """Where it goes; a secret when the address holds one."""
    signing_key: Secret
    """The key of the signature (HMAC-SHA256)."""
    headers: dict[_Text, Secret] = {}
    """More headers, for a receiver that asks for a token."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""


class LogChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="log"):
    """Lines of JSON."""

    path: _Text | None = None
    """The file that they are appended to; none: the program's own log."""
    size_bytes_max: Annotated[int, msgspec.Meta(ge=4096)] = 16 << 20
    """A file that would grow beyond is renamed to `.1` first."""


class DashboardChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="dashboard"):
    """Nobody is told: notifications stand in the store, for whoever looks."""


class AppriseChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="apprise"):
    """Any of the services that apprise knows (extra `notify`)."""

    url: Secret
    """An address as apprise writes it (`tgram://token/chat`): it is a secret."""


class PluginChannel(Channel, frozen=True, kw_only=True, tag_field="type", tag="plugin"):
    """A notifier of another package."""

    notifier: _Text
    """Name of its entry point in the group `contextframe_monitoring.notifiers`."""
    options: dict[str, Any] = {}
    """What it wants to know."""


CHANNELS: dict[str, type[Channel]] = {
    "slack": SlackChannel,
    "email": EmailChannel,
    "pagerduty": PagerDutyChannel,
    "sms": SmsChannel,
    "webhook": WebhookChannel,
    "log": LogChannel,
    "dashboard": DashboardChannel,
    "apprise": AppriseChannel,
    "plugin": PluginChannel,
}
"""Type -> what its table may hold."""


def type_of(channel: Channel) -> str:
    """Return the type that a channel's table says."""
    return str(channel.__struct_config__.tag)


def channels_from(tables: object, where: str) -> dict[str, Channel]:
    """Return the channels that `[channels.NAME]` describe; `where` names the file in errors.

    Raises `UnknownKeyError` or `InvalidError`, never with the value of a secret.
    """
    if not isinstance(tables, Mapping):
        raise InvalidError("channels", tables, "expected tables: [channels.NAME]")
    if len(tables) > CHANNELS_MAX:
        raise InvalidError("channels", f"{len(tables)} tables", f"expected at most {CHANNELS_MAX}")
    return {_name(name): _channel(f"channels.{name}", it, where) for name, it in tables.items()}


def _name(name: object) -> str:
    if isinstance(name, str) and 0 < len(name) <= _NAME_CHARS_MAX and _NAME_CHARS.issuperset(name):
        return name
    raise InvalidError("channels", name, "a channel's name has letters, digits, - and _")


def _channel(path: str, table: object, where: str) -> Channel:
    if isinstance(table, Channel):
        return table
    if not isinstance(table, Mapping):
        raise InvalidError(path, UNSAID, f"expected a table: [{path}]")
    named = table.get("type")
    if not isinstance(named, str) or named not in CHANNELS:
        raise InvalidError(f"{path}.type", named, f"expected one of {', '.join(CHANNELS)}")
    kind = CHANNELS[named]
    types = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "type":
            continue
        if key not in types:
            names = [f"{path}.{known}" for known in ("type", *types) if known[0] != "_"]
            raise UnknownKeyError(f"{path}.{key}", names, where)
        values[key] = _value(f"{path}.{key}", value, types[key])
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            raise InvalidError(f"{path}.{field.name}", None, f"type {named!r} needs it")
    try:
        return kind(**values)
    except InvalidError as error:
        raise InvalidError(f"{path}.{error.name}", error.value, error.allowed) from None


def _value(path: str, value: object, kind: Any) -> object:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if _may_be_secret(kind):
            raise InvalidError(path, UNSAID, STANDS_ELSEWHERE) from None
        if typing.get_origin(kind) is Literal:
            raise InvalidError(
                path, value, f"expected one of {', '.join(typing.get_args(kind))}"
            ) from None
        allowed = str(error).split(" - at ")[0].replace("`", "")
        raise InvalidError(path, value, allowed[:1].lower() + allowed[1:]) from None


def _may_be_secret(kind: Any) -> bool:
    return kind is Secret or any(_may_be_secret(inner) for inner in typing.get_args(kind))


def check_names(channels: Mapping[str, Channel], named: Mapping[str, list[str]]) -> None:
    """Check that every channel that is named exists, and that no fallback leads back to itself.

    `named` gives the names that stand under each key. Raises `InvalidError`.
    """
    known = ", ".join(channels) or "no channel is configured: add a table [channels.NAME]"
    for key, names in named.items():
        for name in names:
            if name not in channels:
                raise InvalidError(key, name, f"expected one of the channels: {known}")
    for name, channel in channels.items():
        seen, after = {name}, channel.fallback
        while after is not None:
            if after not in channels or after in seen:
                allowed = f"expected another channel ({known}), and no way back"
                raise InvalidError(f"channels.{name}.fallback", channel.fallback, allowed)
            seen.add(after)
            after = channels[after].fallback
