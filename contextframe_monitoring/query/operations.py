"""How operations ended and how long they took, by group: what performance reports count.

- A *request* that came in counts as an operation. Notifications, and messages that the server
  itself sends out, are counted apart, unless the query groups or filters by `kind` or `direction`:
  then they count like requests.
- `errors` are the statuses error and timeout. A cancelled operation was the caller's choice, and
  input_required asks for a next round: they are neither success nor error. The error rate is
  errors / (successes + errors); the success rate is the rest.
- `subscriptions/listen` stays open as long as the client likes: it counts as an operation, but in
  no rate and no latency.
- Latencies are the durations of all other operations, failed ones too. A duration that is null or
  not finite is not known.
- An operation belongs to the window in which it started.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import STATUSES
from contextframe_monitoring.query.distribution import Distribution, Spread
from contextframe_monitoring.query.folded import MEASURED, Folded
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Floats, Integers, Mask, Rows, Small
from contextframe_monitoring.query.sums import Counts, grown

LISTEN = "subscriptions/listen"
_SUCCESS, _ERROR, _TIMEOUT, _CANCELLED, _INPUT_REQUIRED = range(len(STATUSES))
_OTHER, _LISTEN, _NOTIFIED, _SENT = range(5, 9)
_CLASSES = 16
"""Outcomes share a cell number with the group, so there is room for a power of two."""

_IS_LISTEN, _IS_NOTIFIED, _IS_SENT = 16, 32, 64
_OUTCOMES = np.full(128, _NOTIFIED, np.uint8)
"""The outcome of what a row is (a status, plus what sets it apart)."""
_OUTCOMES[: _OTHER + 1] = range(_OTHER + 1)
_OUTCOMES[_IS_LISTEN : _IS_LISTEN + _OTHER + 1] = _LISTEN
_OUTCOMES[_IS_SENT : _IS_SENT + _IS_LISTEN + _OTHER + 1] = _SENT

_NO_LATENCIES: Floats = np.zeros(0)
OPERATION_MEASURES = ("count", "weight", *MEASURED)
"""What an `OperationTally` reads of rollup rows."""
OPERATION_COLUMNS = (
    "operation_type", "status", "kind", "direction", "duration_ms", "weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operations:
    """One batch, classified. `timed` is where the latencies come from, None for everywhere. Of
    rollup rows the latencies stand in `folded`, the timed ones only.
    """

    outcomes: Small
    requests: Mask | None
    timed: Integers | None
    latencies_ms: Floats
    weights: Integers | None
    folded: Folded | None = None

    def at_timed(self, values: Integers) -> Integers:
        """Return the values of the operations that have a latency."""
        return values if self.timed is None else values.take(self.timed)


class OperationReader:
    """Classifies operations, batch by batch."""

    def __init__(self, query: ReportQuery) -> None:
        """Count apart what the query does not ask for."""
        named = {*query.group_by, *query.where}
        self._all = bool(named & {"kind", "direction"})
        self._statuses, self._types = Labels(), Labels()
        self._kinds, self._directions = Labels(), Labels()

    def read(self, rows: Rows) -> Operations:
        """Return what a batch holds."""
        found = self._statuses.values(rows.labels("status"), _status)
        _mark(found, self._types, rows.labels("operation_type"), LISTEN, _IS_LISTEN)
        if not self._all:
            _mark(found, self._directions, rows.labels("direction"), "out", _IS_SENT)
            _mark(found, self._kinds, rows.labels("kind"), "notification", _IS_NOTIFIED)
        outcomes = _OUTCOMES.take(found)
        requests = outcomes <= _LISTEN
        requests_mask = None if requests.all() else requests
        if isinstance(rows, Folded):
            is_timed = (outcomes <= _OTHER) & (rows.integers("duration_count") > 0)
            timed = None if is_timed.all() else np.flatnonzero(is_timed)
            folded = rows if timed is None else rows.where(is_timed)
            return Operations(outcomes, requests_mask, timed, _NO_LATENCIES, rows.counts(), folded)
        latencies = rows.floats("duration_ms")
        measured = np.isfinite(latencies) & (outcomes <= _OTHER)
        timed = None if measured.all() else np.flatnonzero(measured)
        return Operations(
            outcomes,
            requests_mask,
            timed,
            latencies if timed is None else latencies.take(timed),
            _weights(rows),
        )


def _status(status: str | None) -> int:
    return STATUSES.index(status) if status in STATUSES else _OTHER


def _mark(found: Small, labels: Labels, array: pa.DictionaryArray, label: str, mark: int) -> None:
    """Add a mark to the rows with that label, if the batch may have any."""
    labels.learn(array)
    if labels.known(label) is not None:
        found += labels.values(array, lambda name: mark if name == label else 0)


def _weights(rows: Rows) -> Integers | None:
    """Return how many operations each row stands for; None when each stands for itself."""
    weights = rows.array("weight")
    if pc.min_max(weights).as_py() == {"min": 1, "max": 1}:  # null stands for itself
        return None
    return np.maximum(rows.integers("weight"), 1)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of one group. Latencies in milliseconds; `quantiles` at p50, p90, p95, p99."""

    count: int
    judged: int
    """Successes and errors: what a rate is taken of."""
    errors: int
    timeouts: int
    cancelled: int
    input_required: int
    notifications: int
    outbound: int
    slow: int
    error_rate: float | None
    mean_ms: float
    max_ms: float
    quantiles_ms: tuple[float, ...]


class OperationTally:
    """Adds up operations by group."""

    def __init__(self, slow_ms: float, exact_rows_max: int) -> None:
        """An operation that takes longer than `slow_ms` is slow."""
        self._slow_ms = slow_ms
        self._outcomes, self._slow = Counts(), Counts()
        self._latencies = Distribution(exact_rows_max)

    def add(self, codes: Integers, groups: int, operations: Operations) -> None:
        """Add a batch whose rows belong to the groups `codes`."""
        cells = codes * _CLASSES
        cells += operations.outcomes
        self._outcomes.add(cells, groups * _CLASSES, operations.weights)
        timed = operations.at_timed(codes)
        if operations.folded is not None:
            self._latencies.add_folded(timed, operations.folded, groups)
            self._slow.add(timed, groups, operations.folded.above(self._slow_ms))
            return
        weights = operations.weights
        weights = None if weights is None else operations.at_timed(weights)
        self._latencies.add(timed, operations.latencies_ms, groups, weights)
        slow = np.flatnonzero(operations.latencies_ms > self._slow_ms)
        if len(slow):
            stands = None if weights is None else weights.take(slow)
            self._slow.add(timed.take(slow), groups, stands)

    def summaries(self, groups: int) -> tuple[list[Summary], Spread]:
        """Return a summary of each group, and the spread of the latencies."""
        outcomes = grown(self._outcomes.values, groups * _CLASSES)[: groups * _CLASSES]
        slow = grown(self._slow.values, groups)[:groups]
        spread = self._latencies.spread(groups)
        return _summaries(outcomes.reshape(groups, _CLASSES), slow, spread), spread

    def total(self) -> tuple[Summary, Spread]:
        """Return the summary of all operations together."""
        outcomes = self._outcomes.values.reshape(-1, _CLASSES).sum(axis=0, keepdims=True)
        spread = self._latencies.total()
        return _summaries(outcomes, self._slow.values.sum(keepdims=True), spread)[0], spread


def _summaries(outcomes: Integers, slow: Integers, spread: Spread) -> list[Summary]:
    rows = zip(
        outcomes.tolist(),
        slow.tolist(),
        spread.means.tolist(),
        spread.maxima.tolist(),
        spread.quantiles.tolist(),
        strict=True,
    )
    return [_summary(*row) for row in rows]


def _summary(
    outcomes: list[int], slow: int, mean: float, largest: float, quantiles: list[float]
) -> Summary:
    errors = outcomes[_ERROR] + outcomes[_TIMEOUT]
    judged = outcomes[_SUCCESS] + errors
    return Summary(
        count=sum(outcomes[: _LISTEN + 1]),
        judged=judged,
        errors=errors,
        timeouts=outcomes[_TIMEOUT],
        cancelled=outcomes[_CANCELLED],
        input_required=outcomes[_INPUT_REQUIRED],
        notifications=outcomes[_NOTIFIED],
        outbound=outcomes[_SENT],
        slow=slow,
        error_rate=errors / judged if judged else None,
        mean_ms=mean,
        max_ms=largest,
        quantiles_ms=tuple(quantiles),
    )
