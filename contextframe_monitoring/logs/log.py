"""`Logs`: the loggers of one program, built on structlog and independent of its global settings."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.logging_settings import LOG_LEVELS
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.logs.line import Lines
from contextframe_monitoring.logs.log_file import LogFile
from contextframe_monitoring.logs.sampling import Sampling
from contextframe_monitoring.store.machine import SystemClock, own_version
from contextframe_monitoring.store.settings import load_config

_NUMBERS = {level: number for number, level in zip(range(10, 60, 10), LOG_LEVELS, strict=True)}


class Sink(Protocol):
    """Where lines go."""

    lost: int

    def write(self, line: bytes) -> None:
        """Take one line, its newline included; never raises."""
        ...


class _ErrorStream:
    """Standard error, whichever stands there when a line is written."""

    lost = 0

    def write(self, line: bytes) -> None:
        try:
            sys.stderr.write(line.decode())
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # closed, or there is none
            self.lost += 1


class Logs:
    """Loggers that write JSON lines into the file of `[logging]`, else to standard error."""

    def __init__(
        self,
        config: MonitoringConfig,
        name: str | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        """`name` is the service's; the configuration's `server` wins.

        Raises `InvalidError` when the file of the configuration is no regular file.
        """
        settings, self.clock = config.logging, clock or SystemClock()
        service = {
            "service": config.server or name,
            "version": own_version() if name == OWN_SERVER else settings.service_version,
            "environment": config.environment,
        }
        self.lines = Lines(
            {key: bounded_name(value) for key, value in service.items() if value is not None},
            self.clock,
            Sampling(settings.sample_rates),
            chars_max=config.text_chars_max,
            error_texts=config.store_error_texts,
        )
        self.level = settings.level_in(config.environment)
        self.sink: Sink = _ErrorStream() if settings.file is None else _file_of(config, self.clock)
        self._wrapper: Any = structlog.make_filtering_bound_logger(_NUMBERS[self.level])
        self.request_lines = settings.request_lines
        """Whether our own parts write a line for each request."""

    @property
    def lost(self) -> int:
        """Lines that could not be made or written so far."""
        return self.lines.refused + self.sink.lost

    def logger(self, name: str, **fields: Any) -> FilteringBoundLogger:
        """Return a logger; `fields` stand on each of its lines."""
        chain = [structlog.contextvars.merge_contextvars, self.lines]
        context = {"logger": bounded_name(name), **fields}
        made: FilteringBoundLogger = self._wrapper(_Out(self.sink), chain, context)
        return made


class _Out:
    """What structlog takes for the logger below: every level writes."""

    def __init__(self, sink: Sink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = sink.write
        self.msg = self.log = self.exception = self.fatal = self.warn = sink.write


class HasLogs(Protocol):
    """A monitor, as far as a logger needs it."""

    @property
    def logs(self) -> Logs:
        """Its loggers."""
        ...


def get_logger(name: str, *, monitor: HasLogs | None = None, **fields: Any) -> FilteringBoundLogger:
    """Return a structlog logger that writes JSON lines with the ids that are bound.

    `log.info("order.placed", order_id=7)`. Without a monitor the configuration is the
    environment's. Fields are masked and bounded. Raises `MonitoringError` for a bad configuration.
    """
    logs = _logs_of_the_process() if monitor is None else monitor.logs
    return logs.logger(name, **fields)


@functools.cache
def _logs_of_the_process() -> Logs:
    return Logs(load_config(None, os.environ))


def _file_of(config: MonitoringConfig, clock: Clock) -> LogFile:
    settings = config.logging
    return LogFile(
        settings.file or "",
        clock,
        rotate_bytes=settings.rotate_bytes,
        keep_days=settings.keep_days,
        keep_files_max=settings.keep_files_max,
        compress=settings.compress,
    )
