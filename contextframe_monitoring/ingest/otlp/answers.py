"""The bodies of OTLP answers, in the encoding of the request.

A success is empty, or says how many items were refused (`partial_success`: 1 rejected, 2 why); a
failure is a `google.rpc.Status` (1 code, 2 message). Both are small enough to be written by hand.
"""

from __future__ import annotations

from typing import Final

import msgspec

from contextframe_monitoring.ingest.otlp.bodies import JSON, Signal

_REJECTED: Final = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
_CODES: Final = {400: 3, 413: 8, 415: 3, 503: 14}
"""HTTP status -> gRPC code: invalid argument, resource exhausted, unavailable."""
_INTERNAL: Final = 13


def accepted(signal: Signal, media: str, rejected: int, reason: str | None) -> bytes:
    """Return the body of a 200."""
    if not rejected:
        return b"{}" if media == JSON else b""
    if media == JSON:
        partial = {_REJECTED[signal]: str(rejected), "errorMessage": reason or ""}
        return msgspec.json.encode({"partialSuccess": partial})
    return _text(1, _number(1, rejected) + _text(2, (reason or "").encode()))


def failed(media: str, status: int, message: str) -> bytes:
    """Return the body of any other answer."""
    code = _CODES.get(status, _INTERNAL)
    if media == JSON:
        return msgspec.json.encode({"code": code, "message": message})
    return _number(1, code) + _text(2, message.encode())


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _text(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
