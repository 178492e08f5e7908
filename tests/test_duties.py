"""The keeper's duties: each on a thread of its own, and none that hurts another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.duties import Duties, Duty
from tests.clocks import NOW_US, ManualClock
from tests.processes import until


class Ticking:
    """A duty that says what it was told to say, and what was done to it."""

    def __init__(self, *says: str | Exception | None) -> None:
        self.says, self.ticks, self.closed = list(says), list[int](), False

    def tick(self, now_us: int) -> str | None:
        self.ticks.append(now_us)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    def close(self) -> None:
        self.closed = True


class Hanging(Ticking):
    """A duty that waits in its tick."""

    def __init__(self) -> None:
        super().__init__(None)
        self.go = threading.Event()

    def tick(self, now_us: int) -> str | None:
        super().tick(now_us)
        self.go.wait()
        return None


@contextmanager
def running(**duties: Duty) -> Iterator[Duties]:
    found = Duties({name: lambda duty=duty: duty for name, duty in duties.items()}, ManualClock())
    found.start()
    try:
        yield found
    finally:
        found.stop()


def test_a_duty_is_told_the_time_until_it_is_closed() -> None:
    duty = Ticking(None)
    with running(port=duty) as duties:
        until(lambda: bool(duty.ticks))
        duties.start()  # they run already: nothing begins twice
    assert set(duty.ticks) == {NOW_US}
    assert duty.closed
    assert duties.problem is None


def test_a_problem_is_told_by_the_duty_s_name_and_gone_when_all_is_well_again() -> None:
    duty = Ticking(UnavailableError("the port is taken"), ValueError("no"), "half of it", None)
    seen = set[str | None]()
    with running(port=duty) as duties:

        def well_again() -> bool:
            seen.add(duties.problem)
            return len(duty.ticks) > 3 and duties.problem is None

        until(well_again)
    assert seen - {None} == {"port: the port is taken", "port: ValueError: no", "port: half of it"}


def test_a_duty_that_hangs_does_not_delay_another() -> None:
    hanging, other = Hanging(), Ticking(None)
    with running(hangs=hanging, other=other):
        until(lambda: len(other.ticks) > 1)
        assert len(hanging.ticks) == 1
        hanging.go.set()
    assert (hanging.closed, other.closed) == (True, True)


def test_a_duty_that_cannot_be_made_is_tried_again() -> None:
    made = list[Ticking]()

    def make() -> Duty:
        made.append(Ticking(None))
        if len(made) == 1:
            raise UnavailableError("not yet")
        return made[-1]

    duties = Duties({"late": make}, ManualClock())
    duties.start()
    try:
        until(lambda: len(made) == 2 and bool(made[1].ticks))
    finally:
        duties.stop()
    assert (made[0].ticks, made[1].closed) == ([], True)


def test_a_problem_is_bounded() -> None:
    with running(port=Ticking("x" * 10_000)) as duties:
        until(lambda: duties.problem is not None)
        assert duties.problem == "port: " + "x" * 500
