"""The complete lines of one file that were not read before.

A file is read on from its cursor when the bytes before the cursor still have the hash that they
had; a file that shrank, was rewritten or replaced is read again from its start. A last line without
a newline is still being written and is left for the next time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from contextframe_monitoring.ingest.transcripts.folders import printable
from contextframe_monitoring.store.facts import Cursor

LINE_BYTES_MAX = 16 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_UNREAD_SIZE = -1


def is_unchanged(cursor: Cursor | None, status: os.stat_result) -> bool:
    """Whether `cursor` has read the file of `status` to its end, as far as its status tells."""
    return cursor is not None and (cursor.size, cursor.mtime_ns, cursor.inode) == (
        status.st_size,
        status.st_mtime_ns,
        str(status.st_ino),
    )


class Tail:
    """Reads one file's new lines; `cursor()` is where it stands, also in the middle.

    `context` is the one stored with the cursor when the file is read on, None when it is read from
    its start.
    """

    def __init__(self, path: Path, cursor: Cursor | None = None) -> None:
        """`cursor` is what was stored for this path; `OSError` when the file can't be read."""
        self._path = path
        self._file: BinaryIO = path.open("rb", buffering=_CHUNK_BYTES)
        self._status = os.fstat(self._file.fileno())
        self._hash = hashlib.blake2b(digest_size=16)
        self._ended = False
        self.is_unfinished = False
        self.offset = 0
        self.number = 0
        self.context: bytes | None = None
        try:
            self._resume(cursor)
        except OSError:
            self._file.close()
            raise

    def lines(self) -> Iterator[bytes | None]:
        """Yield each complete new line, None for one above `LINE_BYTES_MAX`; then close the file.

        `offset` and `number` already stand behind the line that is yielded; `is_unfinished` tells
        at the end whether an incomplete line was left.
        """
        with self._file:
            while line := self._file.readline(LINE_BYTES_MAX):
                whole: bytes | None = line
                if not line.endswith(b"\n"):
                    if not self._skipped(line):
                        self.is_unfinished = True
                        break
                    whole = None
                else:
                    self._hash.update(line)
                    self.offset += len(line)
                self.number += 1
                yield whole
            self._ended = True

    def cursor(self, source: str, context: bytes | None) -> Cursor:
        """Return where the reading stands; the reader of the lines goes on from `context`."""
        return Cursor(
            source=source,
            path=printable(os.fspath(self._path)),
            inode=str(self._status.st_ino),
            size=self._status.st_size if self._ended else _UNREAD_SIZE,
            mtime_ns=self._status.st_mtime_ns,
            offset=self.offset,
            lines=self.number,
            digest=self._hash.copy().digest(),
            context=context,
        )

    def _resume(self, cursor: Cursor | None) -> None:
        if cursor is not None and self._holds(cursor):
            self.offset, self.number, self.context = cursor.offset, cursor.lines, cursor.context
        else:
            self._hash = hashlib.blake2b(digest_size=16)
            self._file.seek(0)

    def _holds(self, cursor: Cursor) -> bool:
        left = cursor.offset
        while left:
            chunk = self._file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                return False
            self._hash.update(chunk)
            left -= len(chunk)
        return self._hash.copy().digest() == cursor.digest

    def _skipped(self, start: bytes) -> bool:
        """Read on to the end of a line that is too long; False when it has no end yet."""
        hashed, length, part = self._hash.copy(), 0, start
        while part:
            hashed.update(part)
            length += len(part)
            if part.endswith(b"\n"):
                self._hash = hashed
                self.offset += length
                return True
            part = self._file.readline(_CHUNK_BYTES)
        return False
