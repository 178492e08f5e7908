"""A store to export from."""

from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.export.exporter import MetricsExporter
from tests.export.stores import Filled


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path)


@pytest.fixture
def exporter(filled: Filled) -> MetricsExporter:
    return MetricsExporter(filled.store, MonitoringConfig(store=filled.store.uri))
