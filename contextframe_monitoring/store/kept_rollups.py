"""Rollup rows that were merged for one answer, kept for the next: bounded, and let go of when any
batch that came since touches their time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

import pyarrow as pa

BYTES_MAX = 64 << 20
"""What one store keeps in memory, of rows of all questions together."""


class Sieve(NamedTuple):
    """Which rollup rows a question is about: what it asks for, the columns that it looks at, and
    what leaves the others out.
    """

    question: Hashable
    columns: tuple[str, ...]
    passed: Callable[[pa.RecordBatch], pa.RecordBatch]


class KeptRollups:
    """Rows by question. May be shared by threads."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """Begin with nothing."""
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._rows: OrderedDict[Hashable, tuple[int, pa.RecordBatch]] = OrderedDict()
        self._bytes = 0
        self._done = -1
        self._removed: Hashable = None

    def meet(self, done: int, removed: Hashable, touched_us: Callable[[int], int | None]) -> None:
        """Go on to a later look at the store: `done` is its last batch, `removed` changes whenever
        rows are taken out, `touched_us` tells the earliest bucket that later batches than one add
        to, None when they add nothing.
        """
        with self._lock:
            if removed != self._removed or self._done < 0:
                self._clear()
                self._done, self._removed = done, removed
            elif done > self._done:
                least_us = touched_us(self._done)
                if least_us is not None:
                    self._drop_after(least_us)
                self._done = done

    def get(self, done: int, key: Hashable) -> pa.RecordBatch | None:
        """Return the rows of a question as the batches up to `done` leave them, None when they are
        not kept.
        """
        with self._lock:
            if done != self._done or key not in self._rows:
                return None
            self._rows.move_to_end(key)
            return self._rows[key][1]

    def put(self, done: int, key: Hashable, end_us: int, rows: pa.RecordBatch) -> None:
        """Keep the rows of a question, which all lie before `end_us`."""
        with self._lock:
            if done != self._done or key in self._rows or rows.nbytes > self._bytes_max // 4:
                return
            self._rows[key] = end_us, rows
            self._bytes += rows.nbytes
            while self._bytes > self._bytes_max:
                _, (_, oldest) = self._rows.popitem(last=False)
                self._bytes -= oldest.nbytes

    def _drop_after(self, least_us: int) -> None:
        for key in [key for key, (end_us, _) in self._rows.items() if end_us > least_us]:
            self._bytes -= self._rows.pop(key)[1].nbytes

    def _clear(self) -> None:
        self._rows.clear()
        self._bytes = 0
