"""The JSON-RPC messages in the body of an HTTP answer: one JSON text, or events (SSE)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from contextframe_monitoring.mcp.lines import HeldBytes, LineSplitter, LongLine

INFLATED_BYTES_MAX = 256 << 20
"""Beyond that a compressed body is not looked at any more."""
_INFLATED_PART_BYTES = 64 << 10
_MESSAGE_EVENTS = (b"", b"message")


class AnswerBody(Protocol):
    """A body that messages are read from."""

    @property
    def resumable(self) -> bool:
        """Whether what is missing at its end may still come in another answer."""
        ...

    def feed(self, part: bytes) -> Iterator[bytes | LongLine]:
        """Take the next part and yield the messages that it ends."""
        ...

    def end(self) -> Iterator[bytes | LongLine]:
        """Yield what the end of the body ends."""
        ...


class JsonBody:
    """A body that is one message, or a batch."""

    resumable = False

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held = HeldBytes()

    def feed(self, part: bytes) -> Iterator[bytes | LongLine]:
        """Hold the part."""
        self._held.add(part)
        yield from ()

    def end(self) -> Iterator[bytes | LongLine]:
        """Yield the message."""
        if self._held.size:
            yield self._held.take()


class EventBody:
    """A stream of events; the data of each is a message. What follows the last blank line is
    none, as the standard says.
    """

    def __init__(self) -> None:
        """Nothing came yet."""
        self._lines = LineSplitter()
        self._data = HeldBytes()
        self._long: LongLine | None = None
        self._parts = 0
        self._event = b""
        self.resumable = False
        """Whether an event had an id: its stream may go on in another answer."""

    def feed(self, part: bytes) -> Iterator[bytes | LongLine]:
        """Yield the data of the events that the part ends."""
        for line in self._lines.feed(part):
            if isinstance(line, LongLine):
                self._take_long(line)
                continue
            text = line.removesuffix(b"\r")
            if text:
                self._take(text)
            else:
                yield from self._dispatched()

    def end(self) -> Iterator[bytes | LongLine]:
        """Yield nothing."""
        yield from ()

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            if self._parts:
                self._data.add(b"\n")
            self._data.add(value)
            self._parts += 1
        elif name == b"event":
            self._event = value
        elif name == b"id":
            self.resumable = True

    def _take_long(self, line: LongLine) -> None:
        """Keep the one long line of data that an event has: more than one are no message."""
        if line.head.startswith(b"data:"):
            head = line.head.removeprefix(b"data:").removeprefix(b" ")
            size = line.size - (len(line.head) - len(head)) - line.tail.endswith(b"\r")
            self._long = LongLine(head=head, tail=line.tail.removesuffix(b"\r"), size=size)

    def _dispatched(self) -> Iterator[bytes | LongLine]:
        event, self._event, self._parts = self._event, b"", 0
        long, self._long = self._long, None
        data = self._data.take() if self._data.size else b""
        if event in _MESSAGE_EVENTS and (long or data):
            yield long or data


class CompressedBody:
    """A body in gzip or deflate, read through."""

    def __init__(self, inner: AnswerBody) -> None:
        """Show the plain bytes to `inner`."""
        self._inner = inner
        self._inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it begins with
        self._inflated_bytes = 0

    @property
    def resumable(self) -> bool:
        """Whether what is missing at its end may still come in another answer."""
        return self._inner.resumable

    def feed(self, part: bytes) -> Iterator[bytes | LongLine]:
        """Raises ValueError for what can't be inflated, or is a bomb."""
        while part:
            try:
                plain = self._inflate.decompress(part, _INFLATED_PART_BYTES)
            except zlib.error as error:
                raise ValueError("not in the encoding that it names") from error
            self._inflated_bytes += len(plain)
            if self._inflated_bytes > INFLATED_BYTES_MAX:
                raise ValueError("too large when inflated")
            if plain:
                yield from self._inner.feed(plain)
            part = self._inflate.unconsumed_tail

    def end(self) -> Iterator[bytes | LongLine]:
        """Yield what the end of the body ends."""
        yield from self._inner.end()


def answer_body(headers: dict[bytes, bytes]) -> AnswerBody | None:
    """Return a reader for the body of an answer with these headers; None when it holds no
    messages, or nobody here can read it.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    body: AnswerBody
    if kind == b"text/event-stream":
        body = EventBody()
    elif kind == b"application/json" or kind.endswith(b"+json"):
        body = JsonBody()
    else:
        return None
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding in {b"gzip", b"x-gzip", b"deflate"}:
        return CompressedBody(body)
    return body if coding == b"identity" else None
