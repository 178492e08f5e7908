"""The `traceparent` of W3C Trace Context, as far as a record needs it: trace and parent span."""

from __future__ import annotations

import re

PARENT_SPAN = "parent_span_id"
"""Attribute of a record: 16 hexadecimal digits."""
_match = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-|\Z)"
).match


def trace_id_of(traceparent: object) -> str | None:
    """Return the trace id of a `traceparent`, 32 hexadecimal digits; None when it is not valid.

    A version after 00 may append more; version 00 may not.
    """
    found = _found(traceparent)
    return None if found is None else found[2]


def parent_of(traceparent: object) -> tuple[str, ...]:
    """Return the attribute that names the span which a message is a part of; nothing where the
    `traceparent` is not valid.
    """
    found = _found(traceparent)
    return () if found is None else (f"{PARENT_SPAN}={found[3]}",)


def _found(traceparent: object) -> re.Match[str] | None:
    if type(traceparent) is not str:
        return None
    found = _match(traceparent)
    return None if found is None or (found[4] and found[1] == "00") else found
