"""POST to a target over HTTP: one deadline for everything, no redirect, nothing said of secrets."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import gzip
import http.client
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.secret import UNSAID
from contextframe_monitoring.export.targets.exporter import TargetError

ANSWER_BYTES_MAX = 65_536
_RETRIED = frozenset([401, 403, 404, 407, 408, 421, 425, 429])
"""Refusals that are not about the data: somebody may put them right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How TLS is done: files of certificates and keys, None for the usual ones."""

    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context. Raises `InvalidError` for a file that is none."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(f for f in (self.ca_file, self.certificate, self.key) if f)
            raise InvalidError("ca_file", files, f"expected PEM files ({error})") from None
        return context


class Post:
    """One address. A connection is made for each request: there is one a minute."""

    def __init__(
        self, url: str, *, key: str, headers: Mapping[str, str], timeout_seconds: float,
        trust: Trust, compressed: bool = False,
    ) -> None:  # fmt: skip
        """`key` names the setting in errors. Raises `InvalidError` for a bad address or header."""
        self._parts = _parts(url, key)
        self._timeout, self._compressed = timeout_seconds, compressed
        self._headers = dict(headers) | _authorization(self._parts)
        for name, value in self._headers.items():
            if not _is_header(name, value):
                raise InvalidError(f"{key}: header {name}", UNSAID, "no control characters")
        self._context = trust.context() if self._parts.scheme == "https" else None
        self.where = f"{self._parts.scheme}://{self._parts.hostname}:{self._port}"

    @property
    def _port(self) -> int:
        return self._parts.port or (443 if self._parts.scheme == "https" else 80)

    def send(self, body: bytes, content_type: str) -> bytes:
        """Send a body and return the answer's, at most `ANSWER_BYTES_MAX` of it.

        Raises `TargetError` when it was not taken.
        """
        headers = {"Content-Type": content_type, "User-Agent": "contextframe-monitoring"}
        if self._compressed:
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        connection = self._connection()
        ended = threading.Event()
        timer = threading.Timer(self._timeout, _cut, (connection, ended))
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", self._path, body, headers | self._headers)
            answer = connection.getresponse()
            found = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TargetError(self.where, self._reason(error, ended=ended)) from None
        finally:
            timer.cancel()
            connection.close()
        if not 200 <= answer.status < 300:
            raise _refusal(self.where, answer)
        return found

    @property
    def _path(self) -> str:
        query = f"?{self._parts.query}" if self._parts.query else ""
        return f"{self._parts.path or '/'}{query}"

    def _connection(self) -> http.client.HTTPConnection:
        host = self._parts.hostname or ""
        if self._context is not None:
            return http.client.HTTPSConnection(
                host, self._port, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(host, self._port, timeout=self._timeout)

    def _reason(self, error: Exception, *, ended: threading.Event) -> str:
        if ended.is_set() or isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed ({error.reason or type(error).__name__})"
        if isinstance(error, OSError):
            return error.strerror or type(error).__name__
        return f"its answer is no HTTP ({type(error).__name__})"


def _cut(connection: http.client.HTTPConnection, ended: threading.Event) -> None:
    """End a request that drags on."""
    ended.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # below TLS, too


def _refusal(where: str, answer: http.client.HTTPResponse) -> TargetError:
    """Return what an answer means; its body may say anything, and is not repeated."""
    status = answer.status
    advice = {
        401: ": the credentials are wrong or missing",
        403: ": the credentials don't allow it",
        404: ": nothing takes metrics at this path",
        429: ": it wants fewer requests",
    }.get(status, "")
    return TargetError(
        where,
        f"it answered {status}{advice}",
        retry_after_seconds=_seconds(answer.headers.get("Retry-After")),
        refused=400 <= status < 500 and status not in _RETRIED,
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header that says seconds or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after.strip()[:9])
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    import datetime as dt

    return max((moment - dt.datetime.now(moment.tzinfo)).total_seconds(), 0.0)


def _parts(url: str, key: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise InvalidError(key, UNSAID, "expected http://HOST[:PORT][/PATH] or https://...")
    return parts


def _authorization(parts: urllib.parse.SplitResult) -> dict[str, str]:
    """Return the header for a name and password that stand in an address."""
    if parts.username is None:
        return {}
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _is_header(name: str, value: str) -> bool:
    named = bool(name) and all(char.isalnum() or char in "-_" for char in name)
    return named and value.isprintable() and value.isascii()
