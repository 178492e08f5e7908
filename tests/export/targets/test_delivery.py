"""Targets that refuse, hang, throttle and babble: what the state says, and what comes of it."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ConflictError, NotFoundError
from contextframe_monitoring.core.target_settings import targets_from
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals
from contextframe_monitoring.keeper import keeper_of
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.store import Store
from tests.export.stores import NOW_US, Filled, operation
from tests.export.targets.conftest import To
from tests.export.targets.receivers import receiver
from tests.processes import free_port, until

S = 1_000_000
TOKEN = {"env": "TOKEN"}


def book(filled: Filled) -> TargetBook:
    engine = Store(filled.store.uri).engine
    assert engine is not None
    return TargetBook(engine)


def failed(state: TargetState | None) -> str:
    assert state is not None
    assert state.failures == 1
    assert state.batch == 0
    assert state.last_error is not None
    return state.last_error


def test_a_target_that_refuses_connections(filled: Filled, to: To) -> None:
    filled.drain(operation())
    port = free_port()
    said = failed(to(type="otlp", endpoint=f"http://127.0.0.1:{port}").run(NOW_US))
    assert said == f"http://127.0.0.1:{port}: Connection refused"


def test_a_name_that_nobody_knows(filled: Filled, to: To) -> None:
    filled.drain(operation())
    said = failed(to(type="otlp", endpoint="http://no-such-host.invalid:1").run(NOW_US))
    assert said.startswith("http://no-such-host.invalid:1: ")


@pytest.mark.requirement("export:targets:bad")
@pytest.mark.parametrize("drips", [False, True])
def test_a_target_that_hangs_is_left_after_its_time(filled: Filled, to: To, drips: bool) -> None:
    filled.drain(operation())
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while drips and not stop.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                stop.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        said = failed(to(type="otlp", endpoint=url, timeout_seconds=0.3).run(NOW_US))
        took = time.monotonic() - begun
        stop.set()
        thread.join()
    assert said == f"{url}: no answer within 0.3 s"
    assert took < 5


@pytest.mark.requirement("export:targets:bad")
def test_a_target_that_throttles_gets_its_wish(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver(status=429, headers={"Retry-After": "120"}) as collector:
        state = to(type="otlp", endpoint=collector.url).run(NOW_US)
        assert failed(state).endswith("it answered 429: it wants fewer requests")
        assert state is not None
        assert state.next_us == NOW_US + 120 * S
        assert to(type="otlp", endpoint=collector.url).run(NOW_US + 119 * S) is None
        collector.status = 200
        state = to(type="otlp", endpoint=collector.url).run(NOW_US + 121 * S)
    assert state is not None
    assert (state.failures, state.failing_since_us, state.last_error) == (0, None, None)


def test_pauses_grow_to_a_bound_and_a_wish_has_one(filled: Filled, to: To) -> None:
    filled.drain(operation())
    pauses, now = [], NOW_US
    with receiver(status=500) as collector:
        for _ in range(12):
            state = to(type="otlp", endpoint=collector.url).run(now)
            assert state is not None
            pauses.append((state.next_us - now) / S)
            now = state.next_us
        collector.headers["Retry-After"] = "999999999"
        state = to(type="otlp", endpoint=collector.url).run(now)
        assert state is not None
    assert all(0.75 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:8], 1))
    assert all(225 <= pause <= 300 for pause in pauses[8:])
    assert state.next_us - now == 3600 * S
    assert state.failing_since_us == NOW_US


@pytest.mark.requirement("export:targets:bad")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<html>hello</html>", "its answer is not OTLP: is a collector there?"),
        (b"\xff" * 100, "its answer is not OTLP: is a collector there?"),
    ],
)
def test_a_target_that_babbles(filled: Filled, to: To, answer: bytes, message: str) -> None:
    filled.drain(operation())
    with receiver(body=answer) as collector:
        said = failed(to(type="otlp", endpoint=collector.url).run(NOW_US))
    assert said == f"{collector.url}: {message}"


def test_what_is_no_http_is_named(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"220 smtp ready\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        said = failed(to(type="otlp", endpoint=url).run(NOW_US))
        thread.join()
    assert said.startswith(f"{url}: ")


@pytest.mark.requirement("export:targets:secrets")
def test_wrong_credentials_are_said_and_not_shown(filled: Filled, to: To) -> None:
    filled.drain(operation())
    told = {"type": "otlp", "headers": {"Authorization": TOKEN}}
    with receiver(status=401, body=b"Bearer hunter2 is wrong") as collector:
        delivery = to({"TOKEN": "Bearer hunter2"}, endpoint=collector.url, **told)
        said = failed(delivery.run(NOW_US))
        assert collector.asked[0].headers["Authorization"] == "Bearer hunter2"
    assert said == f"{collector.url}: it answered 401: the credentials are wrong or missing"


def test_a_header_that_would_be_two_is_refused_and_not_shown(filled: Filled, to: To) -> None:
    filled.drain(operation())
    told = {"type": "otlp", "endpoint": "http://h", "headers": {"Authorization": TOKEN}}
    said = failed(to({"TOKEN": "hunter2\r\nX: y"}, **told).run(NOW_US))
    assert said.endswith("header Authorization = (not shown) is not allowed: no control characters")


def test_a_password_in_an_address_is_sent_and_not_shown(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver(status=403) as collector:
        address = collector.url.replace("//", "//me:hunter2@") + "/x?key=hunter3"
        said = failed(to({"URL": address}, type="remote_write", url={"env": "URL"}).run(NOW_US))
        assert collector.asked[0].headers["Authorization"] == "Basic bWU6aHVudGVyMg=="
        assert collector.asked[0].path == "/x?key=hunter3"
    assert said == f"{collector.url}: it answered 403: the credentials don't allow it"


def test_a_redirect_is_not_followed(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver() as other, receiver(status=307, headers={"Location": other.url}) as collector:
        said = failed(to(type="otlp", endpoint=collector.url).run(NOW_US))
        assert other.asked == []
    assert said.endswith("it answered 307")


def test_data_that_are_refused_for_good_hold_nothing_up(filled: Filled, to: To) -> None:
    filled.drain(operation())
    now, told = NOW_US, {"type": "otlp", "temporality": "delta"}
    with receiver(status=400) as collector:
        for _ in range(3):
            state = to(endpoint=collector.url, **told).run(now)
            now += 400 * S
        assert state is not None
        assert (state.batch, state.rejected, state.failures) == (1, 1, 3)
        assert str(state.last_error).endswith("(refused 3 times: that export is left out)")
        filled.drain(operation())
        collector.status = 200
        state = to(endpoint=collector.url, **told).run(now)
        points = collector.metrics()["contextframe_monitoring.operations"].sum.data_points
    assert [point.as_int for point in points] == [1]
    assert state is not None
    assert (state.batch, state.failures) == (2, 0)


def test_a_target_that_wants_no_history_begins_now(filled: Filled, to: To) -> None:
    filled.drain(operation())
    told = {"type": "otlp", "temporality": "delta", "backfill": False}
    with receiver() as collector:
        to(endpoint=collector.url, **told).run(NOW_US)
        assert "contextframe_monitoring.operations" not in collector.metrics()
        filled.drain(operation())
        to(endpoint=collector.url, **told).run(NOW_US + 61 * S)
        assert "contextframe_monitoring.operations" in collector.metrics()


def test_one_process_at_a_time_delivers_to_a_target(filled: Filled, to: To) -> None:
    filled.drain(operation())
    lock = FileLock(filled.store.state_folder / "target-there.lock")
    assert lock.acquire()
    told = {"type": "otlp", "endpoint": "http://127.0.0.1:9"}
    assert to(**told).run(NOW_US) is None
    with pytest.raises(ConflictError, match="by another process"):
        to(**told).run(NOW_US, forced=True)
    lock.release()


def test_a_clock_that_was_put_back_delays_nothing(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver() as collector:
        to(type="otlp", endpoint=collector.url).run(NOW_US)
        assert to(type="otlp", endpoint=collector.url).run(NOW_US - 86_400 * S) is not None


def test_a_shorter_interval_holds_at_once(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver() as collector:
        to(type="otlp", endpoint=collector.url, interval_seconds=86_400).run(NOW_US)
        assert (
            to(type="otlp", endpoint=collector.url, interval_seconds=60).run(NOW_US + 59 * S)
            is None
        )
        assert to(type="otlp", endpoint=collector.url, interval_seconds=60).run(NOW_US + 61 * S)


def test_targets_show_themselves_until_they_are_configured_no_more(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver(status=500) as collector:
        to(type="otlp", endpoint=collector.url).run(NOW_US)
    totals = Totals(filled.store, Limits())
    shown = {family.name: family.points for family in totals.families(NOW_US)}
    [point] = shown["contextframe_monitoring.export.failures"]
    assert (point.labels, point.value) == ({"target": "there", "type": "otlp"}, 1)
    later = {family.name for family in totals.families(NOW_US + 3 * 86_400 * S)}
    assert "contextframe_monitoring.export.failures" not in later


def test_a_target_that_is_not_configured_is_named(filled: Filled) -> None:
    config = MonitoringConfig(store=filled.store.uri, cloudwatch_enabled=True)
    with pytest.raises(NotFoundError, match="'prod' does not exist: configured are cloudwatch"):
        MetricsExporter(filled.store, config).delivery("prod")


@pytest.mark.requirement("002:config:cloudwatch-enabled")
def test_cloudwatch_enabled_is_a_target(filled: Filled) -> None:
    config = MonitoringConfig(store=filled.store.uri, cloudwatch_enabled=True)
    assert MetricsExporter(filled.store, config).delivery("cloudwatch")


@pytest.mark.requirement("export:targets:health")
def test_a_keeper_delivers_and_a_bad_target_disturbs_nothing(tmp_path: Path) -> None:
    hang = threading.Event()
    with receiver() as good, receiver(hang=hang) as bad:
        tables = {
            "good": {"type": "otlp", "endpoint": good.url, "interval_seconds": 1},
            "bad": {"type": "otlp", "endpoint": bad.url, "timeout_seconds": 60},
            "broken": {"type": "plugin", "exporter": "no-such"},
        }
        config = MonitoringConfig(
            store=str(tmp_path / "store"), targets=targets_from(tables, "a test")
        )
        filled = Filled(tmp_path).drain(operation())
        keeper = keeper_of(filled.store, config)
        keeper.tick()
        try:
            until(lambda: len(good.taken) >= 2 and bool(bad.asked))
            keeper.tick()
            assert keeper.last_error is None
            states = {state.name: state for state in book(filled).all()}
            assert states["good"].failures == 0
            assert states["bad"].succeeded_us is None
            until(lambda: {s.name: s for s in book(filled).all()}["broken"].failures > 0)
            broken = {s.name: s for s in book(filled).all()}["broken"].last_error
            assert broken is not None
            assert "no-such" in broken
        finally:
            hang.set()
            keeper.release()
