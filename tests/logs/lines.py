"""Monitors that log into a file, and the lines that they wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.logging_settings import LoggingSettings


def logging_monitor(
    folder: Path, *, clock: Clock | None = None, logging: dict[str, Any] | None = None, **more: Any
) -> Monitor:
    """Open a monitor that records below `folder` and logs into `app.log` there."""
    settings = LoggingSettings(**{"file": str(folder / "app.log"), **(logging or {})})
    config = MonitoringConfig(
        store=str(folder / "store"), start_keeper=False, logging=settings, **more
    )
    return Monitor.open(config, name="app", clock=clock)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of `app.log`, those that were set aside not included."""
    path = folder / "app.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def messages_of(folder: Path) -> list[str]:
    return [line["message"] for line in lines_of(folder)]
