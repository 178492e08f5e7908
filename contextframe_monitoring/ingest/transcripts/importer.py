"""Reads the transcripts of one tool and settles what is new in them.

A file that hasn't changed isn't opened; one that grew is read on; any other is read again, which
changes nothing that is settled already. Facts are gathered in batches, so that memory doesn't grow
with what is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.dialect import Dialect, LineError, LineReader
from contextframe_monitoring.ingest.transcripts.folders import found_files, printable
from contextframe_monitoring.ingest.transcripts.import_report import (
    ImportReport,
    Progress,
    SkippedLine,
)
from contextframe_monitoring.ingest.transcripts.tail import LINE_BYTES_MAX, Tail, is_unchanged
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact, merged
from contextframe_monitoring.store.facts import Cursor

BATCH_FACTS_MAX = 5000
BATCH_FILES_MAX = 1000


ProgressCallback = Callable[[Progress], object]


class Importer:
    """Imports the transcripts of one dialect below some paths, as often as it is told to."""

    def __init__(
        self,
        dialect: Dialect,
        paths: Iterable[Path],
        books: Books,
        *,
        batch_facts_max: int = BATCH_FACTS_MAX,
    ) -> None:
        """`paths` are folders or files; `batch_facts_max` bounds memory, and work after a crash."""
        self._dialect = dialect
        self._paths = list(paths)
        self._books = books
        self._batch_facts_max = batch_facts_max

    def snapshot(self) -> dict[Path, tuple[int, int]]:
        """Return size and modification time of each transcript; while equal, nothing is new."""
        files = found_files(self._paths, self._dialect.folders_of, [])
        return {path: (status.st_size, status.st_mtime_ns) for path, status in files.items()}

    def run(self, progress: ProgressCallback | None = None) -> ImportReport:
        """Import what is new; `progress` is called after each file and each batch."""
        report = ImportReport(source=self._dialect.source)
        report.finished_records = len(self._books.finish())
        files = found_files(self._paths, self._dialect.folders_of, report.unreadable)
        report.files = len(files)
        cursors = self._books.cursors(self._dialect.source)
        known = {path: cursors.get(printable(os.fspath(path))) for path in files}
        bytes_total = sum(_bytes_new(known[path], status) for path, status in files.items())
        run = _Run(
            self._dialect,
            self._books,
            report,
            batch_facts_max=self._batch_facts_max,
            bytes_total=bytes_total,
            progress=progress,
        )
        for path, status in files.items():
            if not is_unchanged(known[path], status):
                run.read(path, known[path])
            run.files_done += 1
            run.tell()
        run.settle()
        run.tell()
        return report


class _Run:
    """One import under way.

    It holds the facts gathered since the last batch, and how far their files were read.
    """

    def __init__(
        self,
        dialect: Dialect,
        books: Books,
        report: ImportReport,
        *,
        batch_facts_max: int,
        bytes_total: int,
        progress: ProgressCallback | None,
    ) -> None:
        self._dialect = dialect
        self._books = books
        self._report = report
        self._batch_facts_max = batch_facts_max
        self._bytes_total = bytes_total
        self._progress = progress
        self._facts: dict[str, UsageFact] = {}
        self._cursors: list[Cursor] = []
        self.files_done = 0

    def read(self, path: Path, cursor: Cursor | None) -> None:
        """Gather the new facts of one file, settling them whenever a batch is full."""
        try:
            tail = Tail(path, cursor)
        except OSError:
            self._report.note_unreadable(printable(os.fspath(path)))
            return
        self._report.files_read += 1
        reader = self._dialect.reader(path, tail.context)
        for fact in self._new_facts(path, tail, reader):
            known = self._facts.get(fact.key)
            self._facts[fact.key] = fact if known is None else merged(known, fact)
            if len(self._facts) >= self._batch_facts_max:
                self._cursors.append(tail.cursor(self._dialect.source, reader.context()))
                self.settle()
                self.tell()
        self._report.unfinished += tail.is_unfinished
        self._cursors.append(tail.cursor(self._dialect.source, reader.context()))
        if len(self._cursors) >= BATCH_FILES_MAX:
            self.settle()

    def settle(self) -> None:
        """Hand what was gathered to the books."""
        if self._facts or self._cursors:
            self._report.add(self._books.settle(self._facts.values(), self._cursors))
        self._facts, self._cursors = {}, []

    def tell(self) -> None:
        """Call the progress callback."""
        if self._progress is not None:
            report = self._report
            self._progress(
                Progress(
                    files_done=self.files_done,
                    files_total=report.files,
                    lines=report.lines,
                    bytes_done=report.bytes_read,
                    bytes_total=self._bytes_total,
                )
            )

    def _new_facts(self, path: Path, tail: Tail, reader: LineReader) -> Iterator[UsageFact]:
        report, start = self._report, tail.offset
        lines = tail.lines()
        while True:
            try:
                line = next(lines, b"")
            except OSError:
                report.note_unreadable(printable(os.fspath(path)))
                return
            report.bytes_read += tail.offset - start
            start = tail.offset
            if line == b"":
                return
            report.lines += 1
            try:
                fact = _fact(reader, line)
            except LineError as error:
                name = printable(os.fspath(path))
                report.skip(SkippedLine(file=name, line=tail.number, reason=str(error)))
                continue
            if fact is not None:
                report.usage_lines += 1
                yield fact


def _fact(reader: LineReader, line: bytes | None) -> UsageFact | None:
    if line is None:
        raise LineError(f"the line is longer than {LINE_BYTES_MAX} bytes")
    return None if line.isspace() else reader.fact(line)


def _bytes_new(cursor: Cursor | None, status: os.stat_result) -> int:
    if cursor is None or cursor.offset > status.st_size:
        return status.st_size
    return 0 if is_unchanged(cursor, status) else status.st_size - cursor.offset
