"""One POST to a service of notifications: bounded, without redirects, and with plain words for
what went wrong. Addresses are secrets: none appears in an error or a log.

It stands on the standard library: HTTP clients log the addresses that they call.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from contextframe_monitoring.alerts.notifier import DeliveryError
from contextframe_monitoring.alerts.secrets import Secrets

ANSWER_BYTES_MAX = 4096
_RETRY_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent, and how."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout_seconds: float
    """For each wait on the other side."""
    ca_file: str | None = None


def post(what: Post, secrets: Secrets) -> str:
    """Send it and return the start of the answer.

    Raises `DeliveryError` for anything but a status of success.
    """
    _check(what.url)
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        what.url, data=what.body, headers=dict(what.headers), method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirects(), *_trusting(what))
    try:
        with opener.open(request, timeout=what.timeout_seconds) as answer:
            return str(answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, secrets) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeliveryError(trouble(error, what.timeout_seconds)) from None


def _trusting(what: Post) -> list[urllib.request.HTTPSHandler]:
    """Return what checks certificates; loading them takes 0.2 s, so only where there are some."""
    if not what.url.lower().startswith("https:"):
        return []
    return [urllib.request.HTTPSHandler(context=trust(what.ca_file))]


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return whom to trust. Raises `DeliveryError` when the file of certificates can't be read."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise DeliveryError(f"ca_file can't be read: {error.strerror}") from None


def trouble(error: BaseException, timeout_seconds: float) -> str:
    """Return in words why there is no connection; no address is in them."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return trouble(error.reason, timeout_seconds)
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return f"no connection: {type(error).__name__}"


def _check(url: str) -> None:
    try:
        found = urlsplit(url)
        good = found.scheme in {"http", "https"} and bool(found.hostname)
    except ValueError:
        good = False
    if not good or not url.isascii() or " " in url:
        raise DeliveryError("its url is not an address that starts with https:// or http://")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What we say is meant for one address, not for where that leads to."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Follow nothing."""
        del args, kwargs


def _refusal(error: urllib.error.HTTPError, secrets: Secrets) -> DeliveryError:
    try:
        said = secrets.scrubbed(error.read(ANSWER_BYTES_MAX).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException):
        said = ""
    problem = f"HTTP {error.code}" + (f": {said}" if said else "")
    return DeliveryError(
        problem, retry_after_seconds=retry_after(error.headers.get("Retry-After"), _now())
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def retry_after(value: str | None, now: dt.datetime) -> float | None:
    """Return the seconds that a `Retry-After` asks for (a number, or a date), at most an hour;
    None when it asks for nothing.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or dt.UTC) - now).total_seconds()
    return min(seconds, _RETRY_SECONDS_MAX) if seconds > 0 else None
