"""Imports again whenever a transcript has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from contextframe_monitoring.ingest.transcripts.import_report import ImportReport
from contextframe_monitoring.ingest.transcripts.importer import Importer, ProgressCallback


def watch(
    importer: Importer, wait: Callable[[], bool], progress: ProgressCallback | None = None
) -> Iterator[ImportReport]:
    """Yield the report of a first import, then of one for each change, until `wait` returns False.

    `wait` is called between two looks at the files and decides how long they are apart. A change
    during an import is seen at the next look, because each look comes before the import that it
    leads to.
    """
    imported = None
    while True:
        snapshot = importer.snapshot()
        if snapshot != imported:
            yield importer.run(progress)
            imported = snapshot
        if not wait():
            return
