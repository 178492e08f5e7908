"""One direction of HTTP: however it is cut, the same parts are shown and the same bytes go on."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.mcp.http_head import HEAD_BYTES_MAX, Framing, HttpError, read_request
from contextframe_monitoring.mcp.http_stream import HttpStream


class Shown:
    """Collects what a stream shows; heads go on in upper case."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes, bool]] = []

    def head(self, raw: bytes) -> tuple[bytes, Framing]:
        self.messages.append((raw, b"", False))
        return raw.upper(), read_request(raw).framing

    def data(self, part: bytes) -> None:
        raw, body, _ = self.messages[-1]
        assert part
        self.messages[-1] = (raw, body + part, False)

    def end(self) -> None:
        raw, body, over = self.messages[-1]
        assert not over
        self.messages[-1] = (raw, body, True)


def chunked(body: bytes, cuts: list[int]) -> bytes:
    borders = sorted({0, *(cut % (len(body) + 1) for cut in cuts), len(body)})
    parts = [body[a:b] for a, b in itertools.pairwise(borders)]
    framed = b"".join(b"%X;x=y\r\n%s\r\n" % (len(part), part) for part in parts if part)
    return framed + b"0\r\nTrailer: t\r\n\r\n"


messages = st.tuples(st.binary(max_size=200), st.booleans(), st.lists(st.integers(0, 300)))


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 3000), max_size=20))
def test_any_cut_of_any_messages_gives_the_same(sent: list[Any], cuts: list[int]) -> None:
    stream, wanted, forwarded = b"", [], b""
    for body, in_chunks, borders in sent:
        if in_chunks:
            raw, framed = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b""
            framed = chunked(body, borders)
        else:
            raw, framed = b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body), body
        stream += raw + framed
        forwarded += raw.upper() + framed
        wanted.append((raw, body, True))
    shown = Shown()
    reader = HttpStream(shown)

    borders = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    out = [reader.feed(stream[a:b]) for a, b in itertools.pairwise(borders)]

    assert b"".join(out) == forwarded
    assert shown.messages == wanted
    assert reader.between


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(noise: bytes) -> None:
    reader = HttpStream(Shown())
    try:
        reader.feed(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + noise)
    except HttpError:
        return


@pytest.mark.parametrize(
    "endless",
    [
        b"A" * (HEAD_BYTES_MAX + 1),
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 20_000,
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ],
)
def test_what_has_no_bound_or_no_sense_is_refused(endless: bytes) -> None:
    with pytest.raises(HttpError):
        HttpStream(Shown()).feed(endless)
