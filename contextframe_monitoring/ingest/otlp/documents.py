"""The body of an OTLP request as one parsed document, whatever its encoding.

Protobuf is read into the shape that OTLP/JSON has, so that both encodings take one way from here.
"""

from __future__ import annotations

import msgspec

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.ingest.otlp.bodies import PROTOBUF, Document, Signal


def document(signal: Signal, media: str, body: bytes) -> Document:
    """Parse a body. Raises `InvalidError`, or `UnsupportedError` where protobuf isn't installed."""
    if media == PROTOBUF:
        from contextframe_monitoring.ingest.otlp.protobuf import parsed

        return parsed(signal, body)
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidError("body", f"{len(body)} bytes", f"OTLP/JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidError("body", type(found).__name__, "OTLP/JSON: expected one object")
    return found
