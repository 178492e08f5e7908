"""The head of an HTTP/1.1 message, and how its body is framed (RFC 9112)."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

HEAD_BYTES_MAX = 64 << 10
"""A longer head is refused: servers take 8 to 64 KiB."""

Framing = int | Literal["chunked", "close", "tunnel"]
"""Bytes of the body; in chunks; until the connection closes; or no HTTP any more."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.[01]")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: .*)?", re.DOTALL)
_OWN_HOST = re.compile(rb"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,18}")
_UNREADABLE_CODINGS = re.compile(rb"(?:br|zstd|dcb|dcz)[ \t]*(?:;[^,]*)?", re.IGNORECASE)


class HttpError(ValueError):
    """Bytes that are no HTTP/1.1, or so ambiguous that two readers could disagree."""

    status_code, status = 400, "400 Bad Request"


class ForeignHostError(HttpError):
    """A request for another host: a page in a browser may have renamed our address to its own."""

    status_code, status = 421, "421 Misdirected Request"


class RequestHead(NamedTuple):
    """What is read of a request's head. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    framing: Framing
    raw: bytes


class ResponseHead(NamedTuple):
    """What is read of a response's head. Names of headers are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    framing: Framing


def read_request(raw: bytes) -> RequestHead:
    """Read a whole request head, with the empty line. Raises `HttpError`."""
    first, headers = _split(raw)
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise HttpError("no request line")
    framing = _framing(headers)
    return RequestHead(
        found[1].decode("ascii"),
        found[2].decode("ascii"),
        headers,
        0 if framing is None else framing,
        raw,
    )


def read_response(raw: bytes, method: str) -> ResponseHead:
    """Read the head of an answer to a request of this method. Raises `HttpError`."""
    first, headers = _split(raw)
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise HttpError("no status line")
    status = int(found[1])
    framing: Framing
    if status == 101 or (method == "CONNECT" and 200 <= status < 300):
        framing = "tunnel"
    elif status < 200 or status in {204, 304} or method == "HEAD":
        framing = 0
    else:
        found_framing = _framing(headers)
        framing = "close" if found_framing is None else found_framing
    return ResponseHead(status, headers, framing)


def check_host(head: RequestHead) -> None:
    """Raise `ForeignHostError` for a request that does not name this machine itself.

    The server could tell such a request by its `Host`, which we replace; so we have to.
    """
    given = head.headers.get(b"host")
    if given is not None and not _OWN_HOST.fullmatch(given):
        raise ForeignHostError("its Host is not localhost, 127.0.0.1 or [::1]")


def with_host(head: RequestHead, host: bytes) -> bytes:
    """Return the raw head as the server is to get it: with its own `Host`, and without the
    encodings that only we could not read; all else byte for byte.
    """
    lines = head.raw.split(b"\r\n")
    for number, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        if not number or not colon:
            continue
        lowered = name.lower()
        if lowered == b"host":
            lines[number] = name + b": " + host
        elif lowered == b"accept-encoding" and _UNREADABLE_CODINGS.search(value):
            lines[number] = name + b": " + _readable(value)
    return b"\r\n".join(lines)


def _readable(codings: bytes) -> bytes:
    given = [coding.strip() for coding in codings.split(b",")]
    kept = [coding for coding in given if not _UNREADABLE_CODINGS.fullmatch(coding)]
    return b", ".join(kept) or b"identity"


def _split(raw: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    first, *lines = raw[:-4].split(b"\r\n")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name[-1:] in b" \t" or line[:1] in b" \t" or b"\n" in line:
            raise HttpError("a header that is none")
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + b", " + value if name in headers else value
    return first, headers


def _framing(headers: dict[bytes, bytes]) -> Framing | None:
    """Return how a body is framed, None where nothing says so."""
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked" or length is not None:
            raise HttpError("a body whose end is ambiguous")
        return "chunked"
    if length is None:
        return None
    if not _DIGITS.fullmatch(length):
        raise HttpError("a length that is none")
    return int(length)
