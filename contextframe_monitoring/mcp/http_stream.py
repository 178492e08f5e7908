"""`HttpStream`: one direction of an HTTP/1.1 connection, cut into heads, bodies and ends.

What goes on is what came in, to the byte, chunk borders included; only a head may be replaced by
the one who watches.
"""

from __future__ import annotations

import re
from typing import Protocol

from contextframe_monitoring.mcp.http_head import HEAD_BYTES_MAX, Framing, HttpError

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE_BYTES_MAX = 16 << 10
_HEAD_END = b"\r\n\r\n"


class Watch(Protocol):
    """What a stream shows its parts to."""

    def head(self, raw: bytes) -> tuple[bytes, Framing]:
        """Take a whole head; return what goes on in its stead, and how its body is framed.

        Raises `HttpError` when it is none.
        """
        ...

    def data(self, part: bytes) -> None:
        """Take a part of the body, free of its framing."""
        ...

    def end(self) -> None:
        """Hear that the message is over."""
        ...


class HttpStream:
    """Reads one direction."""

    def __init__(self, watch: Watch) -> None:
        """Show everything to `watch`, before it goes on."""
        self._watch = watch
        self._head = bytearray()
        self._body: _Sized | _Chunked | _UntilClose | None = None
        self.tunnel = False
        """Whether what passes is no HTTP any more."""

    @property
    def between(self) -> bool:
        """Return whether no message is under way."""
        return self._body is None and not self._head

    def feed(self, data: bytes) -> bytes:
        """Take what came in and return what goes on. Raises `HttpError`; nothing more may come
        then.
        """
        out: list[bytes] = []
        at = 0
        while at < len(data):
            if self.tunnel:
                out.append(data[at:])
                break
            if self._body is None:
                at = self._take_head(data, at, out)
            else:
                end = self._body.take(data, at, self._watch)
                out.append(data[at:end])
                at = end
                self._end_of_body()
        return out[0] if len(out) == 1 else b"".join(out)

    def closed(self) -> bool:
        """Hear that nothing more comes; return whether that is a whole end."""
        if isinstance(self._body, _UntilClose):
            self._body = None
            self._watch.end()
            return True
        return self.between

    def _take_head(self, data: bytes, at: int, out: list[bytes]) -> int:
        head = self._head
        searched = max(len(head) - 3, 0)
        held = len(head)
        head += data[at : at + HEAD_BYTES_MAX + 4]
        end = head.find(_HEAD_END, searched)
        if end < 0:
            if len(head) > HEAD_BYTES_MAX:
                raise HttpError("a head that is too long")
            return len(data)
        end += len(_HEAD_END)
        raw = bytes(head[:end])
        head.clear()
        forwarded, framing = self._watch.head(raw)
        out.append(forwarded)
        self._begin(framing)
        return at + end - held

    def _begin(self, framing: Framing) -> None:
        if framing == "tunnel":
            self.tunnel = True
        elif framing == "chunked":
            self._body = _Chunked()
        elif framing == "close":
            self._body = _UntilClose()
        else:
            self._body = _Sized(framing)
            self._end_of_body()

    def _end_of_body(self) -> None:
        if self._body is not None and self._body.done:
            self._body = None
            self._watch.end()


class _Sized:
    """A body of a known length."""

    def __init__(self, left: int) -> None:
        self._left = left

    @property
    def done(self) -> bool:
        return not self._left

    def take(self, data: bytes, at: int, watch: Watch) -> int:
        part = data[at : at + self._left]
        self._left -= len(part)
        watch.data(part)
        return at + len(part)


class _UntilClose:
    """A body that ends with the connection."""

    done = False

    def take(self, data: bytes, at: int, watch: Watch) -> int:
        watch.data(data[at:])
        return len(data)


class _Chunked:
    """A body in chunks, with trailers that nobody here reads."""

    def __init__(self) -> None:
        self._left = 0
        self._line = b""
        self._expected = "size"
        self.done = False

    def take(self, data: bytes, at: int, watch: Watch) -> int:
        while at < len(data) and not self.done:
            if self._left:
                part = data[at : at + self._left]
                self._left -= len(part)
                at += len(part)
                watch.data(part)
                continue
            newline = data.find(b"\n", at)
            end = len(data) if newline < 0 else newline + 1
            self._line += data[at:end]
            at = end
            if len(self._line) > _LINE_BYTES_MAX:
                raise HttpError("a chunk's head that is too long")
            if newline >= 0:
                line, self._line = self._line, b""
                self._take_line(line)
        return at

    def _take_line(self, line: bytes) -> None:
        blank = line in {b"\r\n", b"\n"}
        if self._expected == "size":
            found = _CHUNK_SIZE.fullmatch(line)
            if found is None:
                raise HttpError("a chunk without its size")
            self._left = int(found[1], 16)
            self._expected = "gap" if self._left else "trailer"
        elif self._expected == "gap":
            if not blank:
                raise HttpError("a chunk longer than its size")
            self._expected = "size"
        else:
            self.done = blank
