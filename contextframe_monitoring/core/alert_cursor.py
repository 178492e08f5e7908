"""The cursor of a list of alerts: "the alerts after those", as one opaque text.

It carries the whole question and the revision that the list began at, so that an alert that
changes meanwhile is neither missed nor seen twice: it comes with the next `since`. It holds no
secret and grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import msgspec

from contextframe_monitoring.core.errors import InvalidError

CURSOR_CHARS_MAX = 512
_VERSION = 1
_CHECKSUM_BYTES = 4
_ALLOWED = "expected the next_cursor of an earlier get_alerts, unchanged; ask again without one"


class AlertsAfter(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The alerts that changed after `since` and before `before`, the last ones first.

    `revision` is that of the store when the list began.
    """

    version: int = _VERSION
    status: str
    severity: str | None
    rule: str | None
    since: int
    before: int
    revision: int


def encode_cursor(place: AlertsAfter) -> str:
    """Return the place as text, at most `CURSOR_CHARS_MAX` characters of base64url."""
    body = msgspec.msgpack.encode(place)
    data = zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(text: str) -> AlertsAfter:
    """Return the place that a cursor stands for. Raises `InvalidError`."""
    if not 0 < len(text) <= CURSOR_CHARS_MAX or not text.isascii():
        raise InvalidError("cursor", text, _ALLOWED)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body = data[_CHECKSUM_BYTES:]
        if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") != data[:_CHECKSUM_BYTES]:
            raise InvalidError("cursor", text, _ALLOWED)
        place = msgspec.msgpack.decode(body, type=AlertsAfter)
    except (binascii.Error, msgspec.MsgspecError):
        raise InvalidError("cursor", text, _ALLOWED) from None
    if place.version != _VERSION:
        raise InvalidError("cursor", text, _ALLOWED)
    return place
