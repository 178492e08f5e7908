"""`Recorder`: one synchronous call that makes a record safe, and never troubles its caller."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.core.records import CostRecord, Origin, Record
from contextframe_monitoring.store.machine import (
    FileLock,
    default_store,
    spool_folder,
    start_detached,
)
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK, Spool

_KEEPER_STARTED = "keeper.started"
_KEEPER_PAUSE_SECONDS = 60
_PLAIN_BYTES_MAX = 16 << 10
"""A frame above this is looked at again: some text came in unbounded."""


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
        self._track_costs = track_costs
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
        """Return an id for an operation that has none: `<writer>-o<n>`."""
        return f"{self.writer}-o{next(self._numbers)}"

    def record(self, record: Record) -> bool:
        """Make one record safe; False when nothing is recorded or it is a counted loss."""
        spool = self.spool
        if spool is None or not self.enabled:
            return False
        if not self._track_costs and type(record) is CostRecord:
            return False
        try:
            data = self._encode(record)
            if len(data) > _PLAIN_BYTES_MAX:
                data = self._encode(_bounded(record, self._text_chars_max))
            return spool.put(data)
        except Exception:  # noqa: BLE001 - the monitored call goes on
            return self._record_repaired(spool, record)

    def _record_repaired(self, spool: Spool, record: Record) -> bool:
        """Try once more with every text made valid UTF-8 (lone surrogates can't be encoded)."""
        try:
            data = self._encode(_bounded(record, self._text_chars_max))
        except Exception:  # noqa: BLE001 - not a record that we can keep
            spool.lose("invalid")
            return False
        return spool.put(data)

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

    def operation_ended(self) -> None:
        """Count it out again."""
        self._active -= 1
        if self.spool is not None:
            self.spool.gauge(0, max(self._active, 0))

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
        backend="write" if config.spool_backend == "write" else "mmap",
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
        start: Callable[[list[str]], None] = start_detached,
    ) -> None:
        self._root = root
        self._bytes_max = config.backlog_bytes_max
        self._arguments = ["keep", "--until-idle", "--store", store]
        self._start = start

    def __call__(self, undrained_bytes: int) -> None:
        if undrained_bytes <= self._bytes_max:
            return
        try:
            if not self._somebody_drains() and self._our_turn():
                self._start(self._arguments)
        except OSError:
            return  # nothing depends on it: readers see undrained frames too

    def _somebody_drains(self) -> bool:
        lock = FileLock(self._root / KEEPER_LOCK)
        free = lock.acquire()
        lock.release()
        return not free

    def _our_turn(self) -> bool:
        """Claim this minute's start for us: the stamp file is made anew by one process only."""
        import time

        stamp = self._root / _KEEPER_STARTED
        try:
            age = time.time() - stamp.stat().st_mtime
        except FileNotFoundError:
            age = float("inf")
        if 0 <= age < _KEEPER_PAUSE_SECONDS:
            return False
        stamp.touch()
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
    if isinstance(value, tuple):
        return tuple(_bounded_value(inner, chars_max) for inner in value[:32])
    if isinstance(value, dict):
        kept = list(value.items())[:32]
        return {_bounded_value(key, chars_max): inner for key, inner in kept}
    if isinstance(value, Origin):
        fields = Origin.__struct_fields__
        return Origin(**{name: _bounded_value(getattr(value, name), chars_max) for name in fields})
    return value
