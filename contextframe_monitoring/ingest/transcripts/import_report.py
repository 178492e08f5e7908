"""What an import found, what it recorded, and what it had to leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.transcripts.settlement import calls_of

NAMED_MAX = 50
"""Of lines, places and models that a report names; the rest is counted."""
MODEL_UNKNOWN = "(no model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an import has come: `files` counts unchanged ones too, `bytes` only what is new."""

    files_done: int
    files_total: int
    lines: int
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedLine:
    """A line that was left out; `line` counts from 1."""

    file: str
    line: int
    reason: str


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """Sums over one import; `calls`, `tokens` and `amount_nano_usd` are what it changed.

    `unpriced` counts calls by model whose cost is unknown. `unfinished` files end in a line that is
    still being written. `finished_records` belong to an earlier import that was cut off.
    """

    source: str
    files: int = 0
    files_read: int = 0
    lines: int = 0
    bytes_read: int = 0
    usage_lines: int = 0
    records: int = 0
    finished_records: int = 0
    calls: int = 0
    tokens: int = 0
    amount_nano_usd: int = 0
    unpriced_calls: int = 0
    unpriced: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    skipped_lines: int = 0
    skipped: list[SkippedLine] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, records: Iterable[CostRecord]) -> None:
        """Count what was recorded."""
        for record in records:
            calls = calls_of(record.metadata)
            self.records += 1
            self.calls += calls
            self.tokens += record.units or 0
            self.amount_nano_usd += record.amount_nano_usd or 0
            if record.amount_nano_usd is None and calls:
                self.unpriced_calls += calls
                model = record.model or MODEL_UNKNOWN
                if model in self.unpriced or len(self.unpriced) < NAMED_MAX:
                    self.unpriced[model] += calls

    def skip(self, line: SkippedLine) -> None:
        """Count a line that was left out, and name it while there is room."""
        self.skipped_lines += 1
        if len(self.skipped) < NAMED_MAX:
            self.skipped.append(line)

    def note_unreadable(self, place: str) -> None:
        """Name a file or folder that couldn't be read, while there is room."""
        if len(self.unreadable) < NAMED_MAX:
            self.unreadable.append(place)
