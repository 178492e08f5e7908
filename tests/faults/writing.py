"""A program that records until it is killed, and says what was acknowledged.

`python -m tests.faults.writing STORE BACKEND FORK_EVERY`: after each acknowledged record it writes
`writer (10 bytes) seq (u64)` to its standard output; one write is never cut. Every `FORK_EVERY`
records (0: never) it forks a child that does the same with 50 records and exits without a word.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Literal

from contextframe_monitoring.core.records import CostRecord, MetricRecord, OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.machine import spool_folder
from contextframe_monitoring.store.spool.writer import Spool
from tests.clocks import NOW_US

ACKNOWLEDGED = struct.Struct("<10sQ")
CHILD_RECORDS = 50
OUT = 1


def record_one(recorder: Recorder, number: int) -> None:
    """Record something, and acknowledge it only when `record` has returned."""
    at = NOW_US + number
    acknowledged = recorder.record(
        OperationRecord(time_us=at, operation_type="tools/call", status="success",
                        duration_ms=number % 90, target=f"tool-{number % 7}")
        if number % 3 == 0
        else CostRecord(time_us=at, cost_type="llm", provider="p", amount_nano_usd=number,
                        provenance="computed", input_tokens=number)
        if number % 3 == 1
        else MetricRecord(time_us=at, name="queue", value=number)
    )  # fmt: skip
    if acknowledged:
        os.write(OUT, ACKNOWLEDGED.pack(bytes.fromhex(recorder.writer), recorder.recorded))


def main(store: str, backend: Literal["mmap", "write"], fork_every: int) -> None:
    """Record for ever."""
    recorder = Recorder(Spool(Path(spool_folder(store, None)), backend=backend))
    number = 0
    while True:
        number += 1
        record_one(recorder, number)
        if fork_every and number % fork_every == 0 and os.fork() == 0:
            for child_number in range(CHILD_RECORDS):
                record_one(recorder, child_number)
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], "mmap" if sys.argv[2] == "mmap" else "write", int(sys.argv[3]))
