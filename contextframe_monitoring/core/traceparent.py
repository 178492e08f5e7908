"""The `traceparent` of W3C Trace Context, as far as a record needs it: its trace id."""

from __future__ import annotations

import re

_match = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|\Z)"
).match


def trace_id_of(traceparent: object) -> str | None:
    """Return the trace id of a `traceparent`, 32 hexadecimal digits; None when it is not valid.

    A version after 00 may append more; version 00 may not.
    """
    if type(traceparent) is not str:
        return None
    found = _match(traceparent)
    if found is None or (found[3] and found[1] == "00"):
        return None
    return found[2]
