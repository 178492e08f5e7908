"""The messages in the bodies of HTTP answers."""

import gzip
import itertools
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.mcp import http_answer
from contextframe_monitoring.mcp.http_answer import AnswerBody, EventBody, answer_body
from contextframe_monitoring.mcp.lines import LINE_BYTES_MAX, LongLine

EVENTS = (
    b": comment\r\nid: 1\r\ndata:\r\n\r\n"
    b'event: message\ndata: {"a":\ndata: 1}\n\n'
    b"event: endpoint\ndata: /elsewhere\n\n"
    b"data:{}\nretry: 5\n\n\n"
    b"data: unfinished\n"
)


def read(body: AnswerBody, parts: list[bytes]) -> list[bytes | LongLine]:
    def messages() -> Iterator[bytes | LongLine]:
        for part in parts:
            yield from body.feed(part)
        yield from body.end()

    return list(messages())


def body_of(kind: bytes, coding: bytes = b"identity") -> AnswerBody | None:
    return answer_body({b"content-type": kind, b"content-encoding": coding})


@given(st.lists(st.integers(0, len(EVENTS))))
def test_events_are_read_however_they_are_cut(cuts: list[int]) -> None:
    borders = sorted({0, *cuts, len(EVENTS)})
    parts = [EVENTS[a:b] for a, b in itertools.pairwise(borders)]
    body = EventBody()

    assert read(body, parts) == [b'{"a":\n1}', b"{}"]
    assert body.resumable


def test_a_long_event_is_kept_by_its_ends() -> None:
    message = b'{"id":1,"x":"' + b"y" * LINE_BYTES_MAX + b'"}'
    (found,) = read(EventBody(), [b"data: " + message + b"\r\n\r\n"])
    assert isinstance(found, LongLine)
    assert (found.size, message.startswith(found.head), message.endswith(found.tail)) == (
        len(message),
        True,
        True,
    )


@pytest.mark.parametrize(
    ("coding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)]
)
def test_a_compressed_body_is_read_through(coding: bytes, pack: object) -> None:
    packed = pack(b'{\n "a": 1\n}')  # type: ignore[operator]
    for kind, plain in ((b"application/json; charset=utf-8", b'{\n "a": 1\n}'),):
        body = body_of(kind, coding)
        assert body is not None
        assert read(body, [packed[:5], packed[5:]]) == [plain]


def test_what_cannot_be_read_or_is_a_bomb_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answer, "INFLATED_BYTES_MAX", 100_000)
    for data in (b"no gzip at all", gzip.compress(bytes(1_000_000))):
        body = body_of(b"application/json", b"gzip")
        assert body is not None
        with pytest.raises(ValueError, match=r"not in the encoding|too large"):
            read(body, [data])


def test_other_bodies_hold_no_messages() -> None:
    assert body_of(b"text/html") is None
    assert body_of(b"") is None
    assert body_of(b"application/json", b"br") is None
