"""What several benchmarks share: paired differences, one core, and what a process weighs."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator
from pathlib import Path


def differences(longer: list[int], shorter: list[int], unit: float) -> dict[str, float]:
    """Return median and quartiles of what the one took more than the other, round by round."""
    found = [(a - b) / unit for a, b in zip(longer, shorter, strict=True)]
    first, median, third = statistics.quantiles(found, n=4, method="inclusive")
    return {"q1": round(first, 1), "median": round(median, 1), "q3": round(third, 1)}


def spread(found: dict[str, float]) -> str:
    """Return a difference as text: median and quartiles."""
    return f"{found['median']:+7.1f} [{found['q1']:+.1f}..{found['q3']:+.1f}]"


@contextlib.contextmanager
def cores(*, one: bool) -> Iterator[None]:
    """Keep this process and the children that it starts on one core, where the system can."""
    if not one or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def process_mb(pid: int, file: str, key: str) -> float | None:
    """Return a figure of `/proc/PID/FILE` in MB; None where there is no such file."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(key):
                return round(int(line.split()[1]) / 1024, 1)
    return None
