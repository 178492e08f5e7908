"""SIGKILL of a process that tells channels, between "sent" and "noted as sent"."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.notification_log import NotificationLog
from contextframe_monitoring.store.store import Store
from tests.alerts.sinks import HttpSink, http_sink
from tests.clocks import NOW_US
from tests.core.delivered import made_alert
from tests.faults.sizes import KILLS
from tests.processes import until

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def telling(store: Store, sink: HttpSink) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.alerts.telling", store.uri, sink.url], cwd=REPOSITORY
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.requirement("alerts:told:kill")
def test_a_kill_before_the_note_repeats_once_and_never_swallows(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    engine = store.create()
    book, log = AlertBook(engine), NotificationLog(engine)
    with http_sink() as sink:
        for turn in range(KILLS):
            heard = len(sink.got)
            book.put([made_alert("a", rule=f"R{turn}", alert_id=f"a{turn}")])
            with telling(store, sink) as process:
                sink.before_answer = lambda pid=process.pid: os.kill(pid, signal.SIGKILL)
                assert process.wait(30) == -signal.SIGKILL
            assert len(sink.got) == heard + 1
            assert log.interrupted() == 1
            sink.before_answer = lambda: None
            with telling(store, sink):
                until(lambda: any(told.firing for told in log.told().values()))
                over = made_alert(
                    "a", rule=f"R{turn}", alert_id=f"a{turn}", state="resolved", resolved_us=NOW_US
                )
                book.put([over])
                until(lambda: not any(told.firing for told in log.told().values()))
            kinds = [got.json["kind"] for got in sink.got[heard:]]
            assert kinds == ["firing", "firing", "resolved"]
    ids = Counter(got.headers["X-Contextframe-Delivery"] for got in sink.got)
    assert sorted(ids.values()) == [1] * KILLS + [2] * KILLS
