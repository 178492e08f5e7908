"""A store with one of everything that `/metrics` can show."""

from __future__ import annotations

from pathlib import Path

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.records import Origin, Record
from contextframe_monitoring.ingest.resources import PoolFigures, ResourceSampler
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from tests.clocks import ManualClock
from tests.export.stores import NOW_US, Filled, cost, event, metric, operation, use

FUTURE_US = NOW_US * 2
"""A target that is due then is configured now, whatever the clock says."""
RECORDS: tuple[Record, ...] = (
    operation(direction="in", request_tokens=30, result_tokens=1000),
    operation(
        direction="in", request_tokens=30, result_tokens=0, status="error", error_type="tool_error"
    ),
    operation(operation_type="prompts/get", target="review", direction="in"),
    operation(operation_type="sampling/createMessage", target=None, direction="out"),
    operation(operation_type="resize", target="image", origin=Origin(server="app")),
    cost(reasoning_tokens=500, cache_write_5m_tokens=100),
    cost(amount_nano_usd=-1000, input_tokens=0, output_tokens=0, cache_read_tokens=0),
    cost(amount_nano_usd=None),
    event(),
    use(duration_ms=5.0),
    metric(),
    metric(name=""),
)


def alert(name: str, **changes: object) -> Alert:
    values: dict[str, object] = {
        "alert_id": name,
        "rule": "HighDailyCost",
        "signal": "cost",
        "severity": "critical",
        "state": "firing",
        "message": "cost of 1d is 600 USD, above 500",
        "threshold": 500.0,
        "actual": 600.0,
        "created_us": NOW_US,
        "changed_us": NOW_US,
        "revision": 0,
    }
    return Alert(**{**values, **changes})  # type: ignore[arg-type]


def resources(folder: Path) -> list[Record]:
    """Return what a process says of itself."""
    clock = ManualClock()
    with Monitor.open(store=str(folder / "sampled"), start_keeper=False) as monitor:
        sampler = ResourceSampler(monitor.recorder, Origin(server="app"), clock)
        sampler.pools.append(lambda: PoolFigures(used=1, idle=2))
        sampler.sample()
        clock.pass_ms(1000)
        figures = sampler.sample(loop_lag_seconds=0.01)
    return [metric(name=one.name, value=one.value, kind=one.kind, unit=one.unit) for one in figures]


def fill(filled: Filled) -> Filled:
    """Store one of everything; again: one more of each record."""
    filled.drain(*RECORDS, *resources(Path(filled.store.uri).parent))
    engine = filled.store.engine
    assert engine is not None
    TargetBook(engine).put(
        TargetState(name="lake", type="file", next_us=FUTURE_US, sent=10, rejected=1, failures=3)
    )
    AlertBook(engine).put([alert("a"), alert("b", rule="Slow", state="pending")])
    return filled
