"""The dead man's switch: a service outside that expects a call after every evaluation."""

from __future__ import annotations

import urllib.error
import urllib.request

from contextframe_monitoring.core.errors import InvalidError

SECONDS_MAX = 5.0
_SCHEMES = ("http://", "https://")


def ping(url: str) -> str | None:
    """Call a URL (GET); return what is wrong, None when it answered. Its path and query may hold
    a secret, so they are never said.
    """
    if not url.startswith(_SCHEMES):
        scheme = url.partition(":")[0]
        raise InvalidError("alerts.watchdog_url", scheme, "expected http:// or https://")
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:  # noqa: S310 - checked
            answer.read(1)
    except urllib.error.HTTPError as error:
        return f"the watchdog answered {error.code}"
    except (OSError, ValueError) as error:
        return f"the watchdog can't be reached ({type(error).__name__})"
    return None
