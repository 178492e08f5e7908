"""`LogBridge`: what libraries say through `logging`, as lines of ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextframe_monitoring.logs.log import Logs

_LEVELS = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)


class LogBridge(logging.Handler):
    """A handler: `logging.getLogger().addHandler(LogBridge(monitor.logs))`.

    The message is masked and bounded as every line is; a record's `extra` fields are not taken.
    """

    def __init__(self, logs: Logs, level: int = logging.NOTSET) -> None:
        """Write into `logs` what is at least of `level`."""
        super().__init__(level)
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that don't fit: the library's fault
            text = str(record.msg)
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        log = self._logs.logger(record.name)
        getattr(log, level)(text, exc_info=record.exc_info)
