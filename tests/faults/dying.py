"""A program whose keepers are killed with SIGKILL, each at one step of its first batch.

`python -m tests.faults.dying FOLDER STEP...`: for each step a process of its own keeps
`FOLDER/STEP` (a colon in the step is a dash in the name) and kills itself there: in its first
batch, or in maintenance a day or, where rows are removed, twenty days later. Nothing of Lance runs
before the fork.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.store.drain import no_checkpoint
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, NOW_US, ManualClock


def store_at(folder: Path, step: str) -> Store:
    """Return the store in which a keeper dies at a step."""
    return Store(str(folder / step.replace(":", "-")))


def die_at(store: Store, step: str) -> None:
    """Keep until the step comes, and be gone."""

    def checkpoint(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    keeper = maintaining(store, step, checkpoint)
    if keeper is None:
        Keeper(store, checkpoint=checkpoint).tick()
    else:
        keeper.maintain()


def maintaining(
    store: Store, step: str, checkpoint: Callable[[str], None] = no_checkpoint
) -> Keeper | None:
    """Return the keeper of a store that reaches a step of maintenance; None for other steps."""
    days = {"compact": 1, "removal": 20, "removed": 20}.get(step.partition(":")[0])
    if days is None:
        return None
    keeper = Keeper(store, ManualClock(NOW_US + days * DAY_US), checkpoint, retention_days=10)
    assert keeper.take()
    return keeper


def main(folder: Path, steps: list[str]) -> None:
    """Let one keeper die at each step; say what became of each."""
    for step in steps:
        pid = os.fork()
        if pid == 0:
            try:
                die_at(store_at(folder, step), step)
            finally:
                os._exit(0)
        print(step, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
