"""The signature of our webhook: HMAC-SHA256 over the time and the body.

A receiver computes it afresh with the shared key, compares, and refuses a time that is minutes
away: then nobody can make a message up, change one, or send an old one again.
"""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP_HEADER = "X-Contextframe-Timestamp"
SIGNATURE_HEADER = "X-Contextframe-Signature"
DELIVERY_HEADER = "X-Contextframe-Delivery"
TOLERANCE_SECONDS = 300


def signature(key: str, timestamp: int, body: bytes) -> str:
    """Return `v1=` and the hexadecimal HMAC of `TIMESTAMP.BODY`; the time is in whole seconds since
    the epoch.
    """
    signed = b"%d.%s" % (timestamp, body)
    return "v1=" + hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def is_signed(key: str, timestamp: str, body: bytes, given: str, now_seconds: int) -> bool:
    """Return whether a message is ours and new: for receivers in Python."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(signature(key, int(timestamp), body).encode(), given.encode())
