"""Heads of HTTP messages, and which of them are refused."""

import pytest

from contextframe_monitoring.mcp.http_head import (
    HttpError,
    read_request,
    read_response,
    with_host,
)


def test_a_request_is_read() -> None:
    raw = b"POST /mcp?a=1 HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\nContent-Length: 3\r\n\r\n"
    head = read_request(raw)
    assert (head.method, head.target, head.framing, head.raw) == ("POST", "/mcp?a=1", 3, raw)
    assert head.headers == {b"host": b"a", b"x": b"1, 2", b"content-length": b"3"}


def test_only_the_host_and_encodings_that_nobody_here_reads_change() -> None:
    raw = b"GET / HTTP/1.1\r\nhOST:a\r\nX-Host: b\r\n%s\r\nCookie:  c \r\n\r\n"
    for given, passed in (
        (b"Accept-Encoding:gzip,deflate", b"Accept-Encoding:gzip,deflate"),
        (b"accept-encoding: br, gzip;q=0.5", b"accept-encoding: gzip;q=0.5"),
        (b"Accept-Encoding: zstd", b"Accept-Encoding: identity"),
    ):
        changed = with_host(read_request(raw % given), b"up:1")
        assert changed == (raw % passed).replace(b"hOST:a", b"hOST: up:1")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"G@T / HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_a_head_that_two_readers_could_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(HttpError):
        read_request(raw)


@pytest.mark.parametrize(
    ("raw", "method", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "POST", 7),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD", 0),
        (b"HTTP/1.1 204 \r\n\r\n", "POST", 0),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "POST", 0),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "GET", "tunnel"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "GET", "close"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", "GET", "chunked"),
    ],
)
def test_the_body_of_an_answer_is_framed_as_the_standard_says(
    raw: bytes, method: str, framing: object
) -> None:
    assert read_response(raw, method).framing == framing


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(HttpError):
        read_response(b"ICY 200 OK\r\n\r\n", "GET")
