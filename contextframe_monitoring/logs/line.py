"""`Lines`: makes one JSON line of what a logger was told.

A line holds `timestamp`, `level`, `message`, `logger`, the ids that are bound, `service`,
`version`, `environment`, `context` (the fields, masked and bounded) and, of an error, `error`.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import msgspec
import structlog

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.correlation import Correlation, current, fields_of
from contextframe_monitoring.core.privacy import (
    bounded_name,
    masked_fields,
    masked_text,
    plain_text,
)
from contextframe_monitoring.logs.error_detail import error_detail
from contextframe_monitoring.logs.sampling import Sampling

LINE_BYTES_MAX = 16 << 10
"""A line that would be longer keeps its head, and says that its context is left out."""
_IDS = Correlation.__struct_fields__
_LEVELS = {"warn": "warning", "fatal": "critical", "exception": "error", "msg": "info"}


class Lines:
    """The one processor of our loggers. It never raises but to drop a line."""

    def __init__(
        self,
        service: Mapping[str, str],
        clock: Clock,
        sampling: Sampling,
        *,
        chars_max: int,
        error_texts: bool,
    ) -> None:
        """`service` stands on every line; texts are bounded to `chars_max` characters."""
        self._service, self._clock, self._sampling = dict(service), clock, sampling
        self._chars_max, self._error_texts = chars_max, error_texts
        self._encode = msgspec.json.Encoder().encode
        self.refused = 0
        """Lines that could not be made: a fault of ours, and the caller goes on."""

    def name_service(self, name: str) -> None:
        """Give the service a name, unless it has one."""
        self._service.setdefault("service", bounded_name(name))

    def __call__(self, _: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        """Return the line. Raises `structlog.DropEvent` for one that sampling leaves out."""
        try:
            line = self._line(_LEVELS.get(method, method), event)
        except structlog.DropEvent:
            raise
        except Exception:  # noqa: BLE001 - a log line never breaks its caller
            self.refused += 1
            raise structlog.DropEvent from None
        return line

    def _line(self, level: str, event: MutableMapping[str, Any]) -> bytes:
        message = masked_text(plain_text(event.pop("event", "")), self._chars_max)
        ids = {**fields_of(current()), **_taken(event)}
        rate = self._sampling.rate_of(level, message)
        if not self._sampling.keeps(rate, ids.get("correlation_id")):
            raise structlog.DropEvent
        moment = dt.datetime.fromtimestamp(self._clock.now_us() / 1e6, dt.UTC)
        head: dict[str, Any] = {
            "timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": level,
            "message": message,
            "logger": bounded_name(plain_text(event.pop("logger", ""))),
            **ids,
            **self._service,
        }
        if rate < 1.0:
            head["sample_rate"] = rate
        error = _error_in(event.pop("exc_info", None))
        if error is not None:
            head["error"] = error_detail(error, texts=self._error_texts, chars_max=self._chars_max)
        line = self._encode({**head, "context": masked_fields(event, self._chars_max)})
        if len(line) >= LINE_BYTES_MAX:
            line = self._encode({**head, "context": {"left_out_bytes": len(line)}})
        return line + b"\n"


def _taken(event: MutableMapping[str, Any]) -> dict[str, str]:
    """Take the ids out that a logger was told by itself."""
    given = {name: event.pop(name) for name in _IDS if name in event}
    return {
        name: bounded_name(plain_text(value)) for name, value in given.items() if value is not None
    }


def _error_in(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple) and len(given) == 3:
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None
