"""Targets of a store that is filled by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.target_settings import targets_from
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals
from contextframe_monitoring.export.targets.delivery import Delivery
from contextframe_monitoring.export.targets.exporter import Setting
from contextframe_monitoring.store.store import Store
from tests.export.stores import Filled

To = Callable[..., Delivery]


@pytest.fixture
def to(filled: Filled) -> To:
    """What delivers to a target, as a process that starts now would."""

    def made(environ: dict[str, str] | None = None, **table: Any) -> Delivery:
        target = targets_from({"there": table}, "a test")["there"]
        config = MonitoringConfig(store=filled.store.uri, cloudwatch_namespace="Test/Ns")
        setting = Setting(name="there", target=target, config=config, environ=environ or {})
        store = Store(filled.store.uri)
        limits = Limits(attribute_keys=("region",))
        return Delivery(setting, store, Totals(store, limits, kept=True), random.Random(1))

    return made
