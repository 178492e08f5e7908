"""What an importer must know of one tool's transcripts: three functions and a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact

REASON_CHARS_MAX = 160


class LineError(MonitoringError):
    """A line that can't be read. Its message names fields and types, never what stands in them."""

    code = "invalid"

    def __init__(self, reason: str) -> None:
        """`reason` says what is wrong and what would be right."""
        super().__init__(reason[:REASON_CHARS_MAX])


class LineReader(Protocol):
    """Reads the lines of one file in their order."""

    def fact(self, line: bytes) -> UsageFact | None:
        """Return the usage on `line`, None if there is none; raise `LineError` if it is damaged."""
        ...

    def context(self) -> bytes | None:
        """Return what has to be known of the lines so far to read on later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One tool's transcripts.

    `folders_of` narrows a folder to what holds transcripts, `reader` opens a file with the context
    of last time.
    """

    source: str
    folders_of: Callable[[Path], list[Path]]
    reader: Callable[[Path, bytes | None], LineReader]
