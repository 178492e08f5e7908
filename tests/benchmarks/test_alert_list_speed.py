"""What agents wait for: get_alerts out of 100,000 stored alerts, and the banner on other answers.

Run with -s to see the figures (nothing is asserted of them). ALERT_LIST_ROWS is the number of
alerts; one in ten fires.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from typing import Any

from mcp import Client

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.alert import SEVERITIES, Alert
from contextframe_monitoring.mcp.alert_reading import AlertReading
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.store.alert_state import AlertState

ROWS = int(os.environ.get("ALERT_LIST_ROWS", "100000"))
PART = 10_000
ROUNDS = 9
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"status": "all"},
    {"status": "resolved", "severity": "critical"},
    {"status": "all", "rule": "rule_3"},
    {"status": "all", "rule": "rule_3", "severity": "error"},
    {"since": ROWS - 1_000},
    {"since": 1, "limit": 200, "max_tokens": 20_000},
]


def alert(number: int) -> Alert:
    return Alert(
        alert_id=f"a-{number:016x}",
        rule=f"rule_{number % 50}",
        signal="cost",
        group={"agent": f"agent_{number % 100}"},
        severity=SEVERITIES[number % 7 % 4],
        state="firing" if number % 10 == 0 else "resolved",
        message=f"rule_{number % 50}: cost of the last 1h is {number} USD, above 5 USD; agent 'x'",
        details={"summary": "look at what the agent of this team did " * 3},
        threshold=5.0,
        actual=float(number),
        created_us=1 + number,
        fired_us=2 + number,
        incident_id=f"i-{number % 1_000}",
        changed_us=3 + number,
        revision=0,
    )


async def test_alerts_are_listed_out_of_many(tmp_path: Path) -> None:
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False) as monitor:
        book = AlertState.made(monitor.store).book
        for start in range(0, ROWS, PART):
            book.put([alert(number) for number in range(start, min(start + PART, ROWS))])
        async with Client(build_server(monitor)) as client:
            await client.call_tool("get_alerts", {})
            for question in QUESTIONS:
                took = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    result = await client.call_tool("get_alerts", question)
                    took.append((time.perf_counter() - began) * 1e3)
                rows = len(result.structured_content["alerts"])
                print(f"get_alerts {question}: {rows} rows, {median(took):.1f} ms")
        reading = AlertReading(monitor)
        for what in ("first", "again"):
            began = time.perf_counter()
            assert reading.banner() is not None
            print(f"banner {what}: {(time.perf_counter() - began) * 1e3:.2f} ms")
        began = time.perf_counter()
        for _ in range(100):
            reading.revision()
        print(f"one look of the feed: {(time.perf_counter() - began) * 10:.3f} ms")
