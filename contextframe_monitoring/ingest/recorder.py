"""`Recorder`: one synchronous call that makes a record safe, and never troubles its caller."""

from __future__ import annotations

import contextlib
import itertools
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from contextframe_monitoring.core.config import ENVIRONMENT_PREFIX, MonitoringConfig
from contextframe_monitoring.core.correlation import correlated, current
from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.core.records import CostRecord, Origin, Record
from contextframe_monitoring.store.machine import (
    SPOOL_BACKEND,
    FileLock,
    default_store,
    spool_folder,
    start_detached,
)
from contextframe_monitoring.store.spool.frames import FRAME_BYTES_MAX
from contextframe_monitoring.store.spool.writer import GAUGES_WORD, KEEPER_LOCK, Spool

_KEEPER_STARTED = "keeper.started"
_KEEPER_PAUSE_SECONDS = 60
_KINDS = frozenset(typing.get_args(Record))
_PLAIN_BYTES_MAX = 16 << 10
"""A frame above this is looked at again: some text came in unbounded."""
_FULL_BYTES_MAX = FRAME_BYTES_MAX - 64
_SHORT_CHARS_MAX = 64
"""Bound of the texts of a record that would be too large for a frame otherwise."""


class LiveFigures(typing.NamedTuple):
    """What a recorder's process has in flight."""

    active: int
    """Operations started and not ended."""
    connections: int
    """Connections that are open."""
    undrained_bytes: int | None
    """Bytes of its spool that no keeper has taken away; None where nothing is recorded."""


class Recorder:
    """Puts records into the spool of a store.

    `record` returns when the frame is safe against SIGKILL of the process. It never raises, never
    awaits and never writes to a disk by itself; what can't be stored is a loss, counted by
    reason.
    """

    def __init__(
        self, spool: Spool | None, *, track_costs: bool = True, text_chars_max: int = 512
    ) -> None:
        """Record into `spool`; None means that monitoring is switched off, and nothing is
        recorded.
        """
        self.spool = spool
        self.enabled = spool is not None
        self._kinds = _KINDS if track_costs else _KINDS - {CostRecord}
        self._text_chars_max = text_chars_max
        self._encode = msgspec.msgpack.Encoder().encode
        self._numbers = itertools.count(1)
        self._active = self._active_max = self._connections = 0

    @property
    def writer(self) -> str:
        """The id of this process run."""
        return self.spool.writer if self.spool is not None else ""

    @property
    def recorded(self) -> int:
        """Sequence numbers taken so far: records stored and records lost."""
        return self.spool.seq if self.spool is not None else 0

    @property
    def losses(self) -> dict[str, int]:
        """Records lost so far, by reason."""
        return self.spool.losses if self.spool is not None else {}

    @property
    def last_error(self) -> str | None:
        """What the disk last refused, in its own words."""
        return self.spool.last_error if self.spool is not None else None

    def next_operation_id(self) -> str:
        """Return an id for an operation that has none: `operation_id` of the next number."""
        spool = self.spool
        return f"{'' if spool is None else spool.writer}-o{next(self._numbers)}"

    def next_number(self) -> int:
        """Return the number of the next operation."""
        return next(self._numbers)

    def operation_id(self, number: int | Literal[""]) -> str:
        """Return the id of an operation by its number: `<writer>-o<n>`; without one, its prefix."""
        spool = self.spool
        return f"{'' if spool is None else spool.writer}-o{number}"

    def record(self, record: Record) -> bool:
        """Make one record safe; False when nothing is recorded or it is a counted loss."""
        spool = self.spool
        if spool is None or not self.enabled:
            return False
        if type(record) not in self._kinds:
            return self._refuse(spool, record)
        try:
            if current() is not None:
                record = correlated(record)
            data = self._encode(record)
            if len(data) > _PLAIN_BYTES_MAX:
                data = self._encode_bounded(record)
        except Exception:  # noqa: BLE001 - the monitored call goes on
            return self._record_repaired(spool, record)
        try:
            return spool.put(data)
        except Exception:  # noqa: BLE001 - a fault of ours; the spool has counted
            return False

    def _refuse(self, spool: Spool, record: object) -> bool:
        """Count what is no record; a cost that is not wanted is none."""
        if type(record) is not CostRecord:
            with contextlib.suppress(Exception):  # as above
                spool.lose("invalid")
        return False

    def _encode_bounded(self, record: Record) -> bytes:
        """Return the record with its texts cut: once as configured, then as short as it takes."""
        data = self._encode(_bounded(record, self._text_chars_max))
        if len(data) > _FULL_BYTES_MAX:
            data = self._encode(_bounded(record, _SHORT_CHARS_MAX))
        return data

    def _record_repaired(self, spool: Spool, record: Record) -> bool:
        """Try once more with every text made valid UTF-8 (lone surrogates can't be encoded)."""
        try:
            data = self._encode_bounded(record)
        except Exception:  # noqa: BLE001 - not a record that we can keep
            return self._refuse(spool, None)
        try:
            return spool.put(data)
        except Exception:  # noqa: BLE001 - as above
            return False

    # -- live figures, shown in the segment's header

    def operation_started(self) -> None:
        """Count an operation in flight."""
        self._active += 1
        spool = self.spool
        if spool is not None:
            spool.gauge(0, self._active)
            if self._active > self._active_max:
                self._active_max = self._active
                spool.gauge(1, self._active_max)

    def begin(self) -> int:
        """Count an operation in flight and return a number for it: the quick way of two calls."""
        self._active = active = self._active + 1
        spool = self.spool
        if spool is not None:
            if active > self._active_max:
                self._active_max = active
                spool.gauge(1, active)
            try:  # what `gauge` does, in half the steps
                spool.gauges[0] = spool.words[GAUGES_WORD] = active  # type: ignore[index]
            except (TypeError, ValueError):  # the segment has no map, or none any more; below 0
                spool.gauge(0, max(active, 0))
        return next(self._numbers)

    def end(self, record: bytes) -> bool:
        """Count an operation out and make its record, that a form encoded, safe: the quick way of
        two calls. Returns what `record` does.
        """
        self._active = active = self._active - 1
        spool = self.spool
        if spool is None:
            return False
        try:  # as above
            spool.gauges[0] = spool.words[GAUGES_WORD] = active  # type: ignore[index]
        except (TypeError, ValueError):
            spool.gauge(0, max(active, 0))
        try:
            return self.enabled and spool.put(record)
        except Exception:  # noqa: BLE001 - a fault of ours; the spool has counted
            return False

    def operation_ended(self) -> None:
        """Count it out again."""
        self._active -= 1
        if self.spool is not None:
            self.spool.gauge(0, max(self._active, 0))

    def live_figures(self) -> LiveFigures:
        """Return what goes on now; looks at the spool's folder."""
        undrained = None if self.spool is None else self.spool.undrained_bytes
        return LiveFigures(max(self._active, 0), max(self._connections, 0), undrained)

    def connections_changed(self, difference: int) -> None:
        """Count a connection opened (+1) or closed (-1)."""
        self._connections += difference
        if self.spool is not None:
            self.spool.gauge(2, max(self._connections, 0))

    def close(self) -> None:
        """Seal the spool; its keeper drains the rest."""
        if self.spool is not None:
            self.spool.close()


def open_recorder(config: MonitoringConfig, *, label: str = "") -> Recorder:
    """Open the recorder of a configuration. Never raises for a disk that refuses: that is
    counted, and said in status.
    """
    if not config.enabled:
        return Recorder(None)
    store = config.store or default_store()
    root = spool_folder(store, config.spool_path)
    starter = _KeeperStarter(root, store, config) if config.start_keeper else None
    spool = Spool(
        root,
        label=label,
        backend=SPOOL_BACKEND if config.spool_backend == "auto" else config.spool_backend,
        segment_bytes_max=config.segment_bytes_max,
        spool_bytes_max=config.spool_bytes_max,
        rotated=starter,
    )
    return Recorder(spool, track_costs=config.track_costs, text_chars_max=config.text_chars_max)


class _KeeperStarter:
    """Starts `keep --until-idle` when a backlog grows and nobody drains it: at most once a minute
    per store.
    """

    def __init__(
        self,
        root: Path,
        store: str,
        config: MonitoringConfig,
        start: Callable[[list[str], dict[str, str]], None] = start_detached,
    ) -> None:
        self._root = root
        self._bytes_max = config.backlog_bytes_max
        self._arguments = ["keep", "--until-idle", "--store", store]
        spool_path = config.spool_path
        self._environment = (
            {} if spool_path is None else {f"{ENVIRONMENT_PREFIX}SPOOL_PATH": spool_path}
        )
        self._start = start

    def __call__(self, undrained_bytes: int) -> None:
        if undrained_bytes <= self._bytes_max:
            return
        try:
            if self._is_our_turn():
                self._start(self._arguments, self._environment)
        except Exception:  # noqa: BLE001 - nothing depends on it: readers see undrained frames too
            return

    def _is_our_turn(self) -> bool:
        """Claim this minute's start, unless somebody drains: the keeper's lock, held for a moment,
        keeps others from claiming it too.
        """
        lock = FileLock(self._root / KEEPER_LOCK)
        if not lock.acquire():
            return False
        try:
            stamp = self._root / _KEEPER_STARTED
            age = time.time() - stamp.stat().st_mtime if stamp.exists() else _KEEPER_PAUSE_SECONDS
            if 0 <= age < _KEEPER_PAUSE_SECONDS:
                return False
            stamp.touch()
        finally:
            lock.release()
        return True


def _bounded(record: Record, chars_max: int) -> Record:
    """Return the record with every text bounded and made valid; the slow path of a strange
    record.
    """
    changed: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        changed[name] = _bounded_value(value, chars_max)
    return type(record)(**changed)


def _bounded_value(value: Any, chars_max: int) -> Any:
    if isinstance(value, str):
        return bounded_text(value, chars_max)
    if isinstance(value, tuple | list):
        return tuple(_bounded_value(inner, chars_max) for inner in value[:32])
    if isinstance(value, dict):
        kept = list(value.items())[:32]
        return {_bounded_value(key, chars_max): inner for key, inner in kept}
    if isinstance(value, Origin):
        fields = Origin.__struct_fields__
        return Origin(**{name: _bounded_value(getattr(value, name), chars_max) for name in fields})
    return value
