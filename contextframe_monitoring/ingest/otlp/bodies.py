"""The body of an OTLP request: its signal, its encoding, its compression, its bounds."""

from __future__ import annotations

import zlib
from typing import Any, Final, Literal

from contextframe_monitoring.core.errors import InvalidError, LimitedError, MonitoringError, shown

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: Final[tuple[Signal, ...]] = ("traces", "metrics", "logs")
Document = dict[str, Any]

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
BODY_BYTES_MAX: Final = 16 << 20
INFLATED_BYTES_MAX: Final = 32 << 20
"""Spans with prompts compress well; the SDKs send at most 512 spans or 2048 points at a time."""
_GZIP: Final = 16 + zlib.MAX_WBITS


class UnsupportedError(MonitoringError):
    """The body is in an encoding that can't be read here."""

    code = "invalid"

    def __init__(self, name: str, value: object, allowed: str) -> None:
        """`name` is the header, `allowed` says what can be read."""
        super().__init__(f"{name} = {shown(value)} is not supported: {allowed}")


def media_type(content_type: str | None) -> str:
    """Return which of the two encodings a header names. Raises `UnsupportedError`."""
    name = (content_type or "").partition(";")[0].strip().lower()
    if name not in (JSON, PROTOBUF):
        raise UnsupportedError("Content-Type", content_type, f"send {PROTOBUF} or {JSON}")
    return name


def inflated(body: bytes, content_encoding: str | None) -> bytes:
    """Return the body without its compression.

    Raises `UnsupportedError` for any but gzip, `InvalidError` for a broken stream, `LimitedError`
    above `BODY_BYTES_MAX` or, inflated, `INFLATED_BYTES_MAX`.
    """
    if len(body) > BODY_BYTES_MAX:
        raise LimitedError("body", len(body), BODY_BYTES_MAX, "send smaller batches")
    name = (content_encoding or "identity").strip().lower()
    if name in ("identity", ""):
        return body
    if name != "gzip":
        raise UnsupportedError("Content-Encoding", content_encoding, "send gzip or nothing")
    found, rest = bytearray(), body
    try:
        while rest:
            stream = zlib.decompressobj(_GZIP)
            found += stream.decompress(rest, INFLATED_BYTES_MAX + 1 - len(found))
            if len(found) > INFLATED_BYTES_MAX:
                hint = "send smaller batches"
                raise LimitedError("inflated body", len(found), INFLATED_BYTES_MAX, hint)
            if not stream.eof:
                raise InvalidError("body", f"{len(body)} bytes", "a whole gzip stream")
            rest = stream.unused_data
    except zlib.error as error:
        raise InvalidError("body", f"{len(body)} bytes", f"gzip: {error}") from None
    return bytes(found)
