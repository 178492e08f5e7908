"""Trackers on a real spool, with a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import Record
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from tests.clocks import ManualClock
from tests.recorded import recorded


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def config(tmp_path: Path) -> MonitoringConfig:
    return MonitoringConfig(
        store=str(tmp_path / "store"), start_keeper=False, environment="test", server="app"
    )


@pytest.fixture
def recorder(config: MonitoringConfig) -> Iterator[Recorder]:
    found = open_recorder(config, label="app")
    yield found
    found.close()


@pytest.fixture
def origins(config: MonitoringConfig) -> Origins:
    return Origins(config)


@pytest.fixture
def records(tmp_path: Path) -> Callable[[], list[Record]]:
    return lambda: recorded(tmp_path / "store" / "spool")
