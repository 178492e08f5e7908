"""What several rooms' tests need: a monitor that only records, and the records that it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord, Record
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.store.machine import spool_folder
from contextframe_monitoring.store.spool.reader import WriterView, read_spool


class RecordingMonitor:
    """The part of a monitor that the write path needs."""

    def __init__(self, store: Path, **settings: Any) -> None:
        self.config = MonitoringConfig(store=str(store), start_keeper=False, **settings)
        self.recorder: Recorder = open_recorder(self.config)


@contextmanager
def recording(store: Path, **settings: Any) -> Iterator[RecordingMonitor]:
    monitor = RecordingMonitor(store, **settings)
    try:
        yield monitor
    finally:
        monitor.recorder.close()


def writers(store: Path) -> list[WriterView]:
    return read_spool(spool_folder(str(store), None))


def recorded(store: Path) -> list[Record]:
    """Decode every record that stands in the spool of a store, in the order of recording."""
    decoder = msgspec.msgpack.Decoder(Record)
    frames = [
        (view.writer, frame.seq, bytes(frame.record))
        for view in writers(store)
        for segment in view.segments
        for frame in segment.frames()
    ]
    return [decoder.decode(record) for _, _, record in sorted(frames, key=lambda f: f[:2])]


def operations(store: Path, method: str | None = None) -> list[OperationRecord]:
    """Return the operations recorded in a store, of one method when it is given."""
    found = [record for record in recorded(store) if isinstance(record, OperationRecord)]
    return [o for o in found if method is None or o.operation_type == method]


def word_vocabulary(path: Path) -> Path:
    """Write a vocabulary to which every word and every mark is one token, and return its path."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    return path
