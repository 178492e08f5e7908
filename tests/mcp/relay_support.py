"""What the tests of the relay share: wrapping a command, and reading back what was recorded."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import contextframe_monitoring
from contextframe_monitoring.core.records import MetricRecord, OperationRecord
from contextframe_monitoring.store.spool.reader import WriterView, read_spool
from tests.recorded import recorded as records_of

REPOSITORY = Path(contextframe_monitoring.__file__).parents[1]
SERVERS = REPOSITORY / "tests" / "servers"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(REPOSITORY),
    "CONTEXTFRAME_MONITORING_START_KEEPER": "false",
}


def wrapped(store: Path, command: list[str], *options: str) -> list[str]:
    """Return the command line of `command` under `wrap`."""
    wrap = [sys.executable, "-m", "contextframe_monitoring", "wrap", "--store", str(store)]
    return [*wrap, *options, "--", *command]


def writers(store: Path) -> list[WriterView]:
    """Return the writers of a store."""
    return read_spool(store / "spool")


def recorded(store: Path) -> list[OperationRecord]:
    """Return all records of a store, in the order of their numbers."""
    records = records_of(store / "spool")
    records = [record for record in records if not isinstance(record, MetricRecord)]
    assert all(isinstance(record, OperationRecord) for record in records)
    return records  # type: ignore[return-value]


@dataclass(frozen=True)
class Disk:
    """A folder that holds little: a small file system, or a limit on the size of files."""

    folder: Path
    refusal: str
    limited: list[str]
