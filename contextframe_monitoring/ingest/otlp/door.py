"""The door of OTLP/HTTP: a request's headers and body in, an answer out.

What a request holds is settled before it is answered, so that an exporter which hears 200 may
forget it, and one which sends again adds nothing. One settles at a time in a store, importers
included; who waits too long is told to come again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from contextframe_monitoring.core.errors import (
    ConflictError,
    MonitoringError,
    UnavailableError,
)
from contextframe_monitoring.core.records import Record
from contextframe_monitoring.ingest.otlp.answers import accepted, failed
from contextframe_monitoring.ingest.otlp.bodies import (
    JSON,
    Signal,
    UnsupportedError,
    inflated,
    media_type,
)
from contextframe_monitoring.ingest.otlp.documents import document
from contextframe_monitoring.ingest.otlp.logs import read_logs
from contextframe_monitoring.ingest.otlp.metrics import SERIES, increments, read_points
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.ingest.otlp.spans import read_spans
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.marks import operation_mark
from contextframe_monitoring.store.machine import FileLock

LOCK_WAIT_SECONDS: Final = 5.0
_LOCK_PAUSE_SECONDS = 0.02
_STATUS = {"invalid": 400, "limited": 413, "unavailable": 503, "conflict": 503}


class Answer(NamedTuple):
    """Status, content type and body of an answer."""

    status: int
    content_type: str
    body: bytes


class Door:
    """Takes OTLP requests, from any thread."""

    def __init__(
        self,
        open_books: Callable[[], Books],
        record: Callable[[Record], bool],
        lock: FileLock,
        *,
        refusal: str | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> None:
        """`open_books` is called under the store's import lock, once; `refusal` says why nothing
        is recorded at all, None when something is.
        """
        self._open_books = open_books
        self._record = record
        self._lock = lock
        self._refusal = refusal
        self._lock_wait_seconds = lock_wait_seconds
        self._turn = threading.Lock()
        self._books: Books | None = None

    def receive(
        self,
        signal: Signal,
        body: bytes,
        content_type: str | None,
        content_encoding: str | None = None,
    ) -> Answer:
        """Take one request. Blocks; never raises for anything that a sender may send."""
        media = JSON
        try:
            media = media_type(content_type)
            plain = inflated(body, content_encoding)
            reading = self._taken(signal, document(signal, media, plain))
        except MonitoringError as error:
            status = 415 if isinstance(error, UnsupportedError) else _STATUS.get(error.code, 500)
            return Answer(status, media, failed(media, status, str(error)))
        except Exception as error:  # noqa: BLE001 - the state refuses: the sender may come again
            told = f"the store can't be written ({type(error).__name__}): send again later"
            return Answer(503, media, failed(media, 503, told))
        return Answer(200, media, accepted(signal, media, reading.rejected, reading.reason))

    def _taken(self, signal: Signal, found: dict[str, object]) -> Reading:
        if self._refusal is not None:
            raise UnavailableError(self._refusal)
        if signal == "traces":
            reading = read_spans(found)
        elif signal == "logs":
            reading = read_logs(found)
        else:
            reading = Reading()
        points = read_points(found, reading) if signal == "metrics" else []
        if not (points or reading.facts or reading.operations):
            return reading
        with self._turn:
            self._wait()
            try:
                books = self._opened()
                if points:
                    cursors = books.cursors_of(SERIES, {point.series for point in points})
                    increments(points, cursors, reading)
                self._settle(books, reading)
            except BaseException:
                self._books = None  # what stands in the state now is read anew
                raise
            finally:
                self._lock.release()
        return reading

    def _wait(self) -> None:
        deadline = time.monotonic() + self._lock_wait_seconds
        while not self._lock.acquire():
            if time.monotonic() > deadline:
                raise ConflictError("an import into this store is at work: send again later")
            time.sleep(_LOCK_PAUSE_SECONDS)

    def _opened(self) -> Books:
        if self._books is None:
            self._books = self._open_books()
        self._books.finish()
        return self._books

    def _settle(self, books: Books, reading: Reading) -> None:
        """Settle the facts; operations are recorded when no earlier request has told of them."""
        known: Collection[str] = ()
        if reading.operations:
            known = books.known_keys(reading.operations)
        new = {key: one for key, one in reading.operations.items() if key not in known}
        for operation in new.values():
            if not self._record(operation):
                raise UnavailableError("the recorder refused an operation: see its status")
        marks = [operation_mark(key, one.time_us) for key, one in new.items()]
        if reading.facts or marks or reading.cursors:
            books.settle([*reading.facts, *marks], reading.cursors)
