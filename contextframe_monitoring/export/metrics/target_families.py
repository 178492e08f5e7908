"""The targets of exports as metrics: what they got, what they refused, whether they fail."""

from __future__ import annotations

from collections.abc import Iterator

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.export.metrics.instruments import Family, FamilyKind, Point
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from contextframe_monitoring.store.store import Store

_FORGOTTEN_AFTER_US = 2 * US_PER_DAY
"""A target that was due so long ago is not configured any more."""
_PREFIX = "contextframe_monitoring.export."


def target_families(store: Store, now_us: int) -> Iterator[Family]:
    """Yield how every target does that is exported to. Raises `StoreError`."""
    engine = store.engine
    known = [] if engine is None else TargetBook(engine).all()
    states = [state for state in known if state.next_us > now_us - _FORGOTTEN_AFTER_US]
    if not states:
        return
    yield _family(
        "sent", "counter", "Points, spans, lines and rows that targets took",
        [(state, state.sent) for state in states],
    )  # fmt: skip
    yield _family(
        "rejected", "counter", "What targets refused for good",
        [(state, state.rejected) for state in states],
    )  # fmt: skip
    yield _family(
        "failures", "gauge", "Exports that failed since the last one that did not",
        [(state, state.failures) for state in states],
    )  # fmt: skip


def _family(
    name: str, kind: FamilyKind, text: str, values: list[tuple[TargetState, int]]
) -> Family:
    points = tuple(
        Point(labels={"target": state.name, "type": state.type}, value=value)
        for state, value in values
    )
    return Family(name=_PREFIX + name, kind=kind, unit="", text=text, points=points)
