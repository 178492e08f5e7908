"""A program of `bench ingest` that records at a steady rate: `STORE RATE SECONDS NUMBER`.

Its records have the cardinalities of a busy fleet: 50 targets, 20 agents, 5 servers, 6 models. At
the end it writes what it recorded and lost to its standard output, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import CostRecord, OperationRecord, Origin, Record
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder

TARGETS, AGENTS, SERVERS, MODELS = 50, 20, 5, 6
_SLICES_PER_SECOND = 100


def record(number: int, recorder: Recorder, dice: random.Random) -> Record:
    """Return the record of this number: nine operations, then a cost. Durations are lognormal."""
    server, agent = dice.randrange(SERVERS), dice.randrange(AGENTS)
    origin = Origin(
        server=f"server-{server}",
        agent_id=f"agent-{agent}",
        agent_source="client",
        session_id=f"session-{agent}",
        transport="stdio",
        protocol_version="2026-07-28",
    )
    time_us, operation_id = time.time_ns() // 1000, recorder.next_operation_id()
    if number % 10 == 9:
        return CostRecord(
            time_us=time_us,
            cost_type="llm",
            provider="anthropic",
            model=f"model-{dice.randrange(MODELS)}",
            amount_nano_usd=dice.randrange(1_000_000) * 1000,
            provenance="computed",
            operation_id=operation_id,
            input_tokens=dice.randrange(40_000),
            output_tokens=dice.randrange(2_000),
            origin=origin,
        )
    return OperationRecord(
        time_us=time_us,
        operation_type="tools/call",
        status="error" if dice.random() < 0.01 else "success",
        duration_ms=round(dice.lognormvariate(3, 1.2), 3),
        origin=origin,
        target=f"tool-{dice.randrange(TARGETS)}",
        operation_id=operation_id,
        request_size=100 + dice.randrange(900),
        result_size=500 + dice.randrange(20_000),
        request_tokens=dice.randrange(300),
        result_tokens=dice.randrange(5_000),
        tokens_estimated=True,
    )


def main(store: str, rate: int, seconds: int, first: int) -> None:
    """Record `rate` records a second in slices of 10 ms, and say how late the last slice was."""
    recorder = open_recorder(MonitoringConfig(store=store, start_keeper=False))
    slice_records, number, late = rate // _SLICES_PER_SECOND, first, 0.0
    dice = random.Random(first)  # noqa: S311 - made-up figures, no secret
    begun = time.perf_counter()
    for place in range(seconds * _SLICES_PER_SECOND):
        due = begun + place / _SLICES_PER_SECOND
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        late = max(late, -wait)
        for _ in range(slice_records):
            recorder.record(record(number, recorder, dice))
            number += 1
    told = {"recorded": recorder.recorded, "lost": sum(recorder.losses.values()), "late": late}
    recorder.close()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
