"""The duty of the keeper: on its own clock, bounded, with a dead man's switch."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from contextframe_monitoring.alerts.answers import Answers
from contextframe_monitoring.alerts.questions import Question
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.snapshot import Snapshot
from tests.alerts.scene import Scene

COST = {"name": "HighCost", "signal": "cost", "threshold": 100, "window": "1h"}


def evaluated_us(scene: Scene) -> int:
    last = scene.state.evaluations.last()
    assert last is not None
    return last.at_us


@pytest.mark.requirement("alerts:evaluator:interval")
def test_it_evaluates_on_its_interval_whatever_the_wall_clock_does(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST, alerts={"evaluation_interval_seconds": 10})
    scene.tick()
    first = evaluated_us(scene)
    scene.clock.pass_ms(9_000)
    scene.tick()
    assert evaluated_us(scene) == first
    scene.clock.us -= 10**12
    scene.clock.ns += 1_000_000_000
    scene.tick()
    assert evaluated_us(scene) == scene.clock.us


class _Sink(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[tuple[str, type[_Sink]]]:
    class Sink(_Sink):
        seen: ClassVar[list[str]] = []

    server = HTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/ping/secret", Sink
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.requirement("alerts:evaluator:watchdog")
def test_the_watchdog_is_called_after_every_evaluation(
    tmp_path: Path, sink: tuple[str, type[_Sink]]
) -> None:
    url, handler = sink
    scene = Scene(tmp_path, COST, alerts={"watchdog_url": url})
    assert scene.tick() is None
    assert scene.pass_minutes(1) is None
    assert handler.seen == ["/ping/secret", "/ping/secret"]
    handler.status = 500
    assert scene.pass_minutes(1) == "the watchdog answered 500"


def test_a_watchdog_that_is_away_is_a_problem_and_its_address_no_text(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST, alerts={"watchdog_url": "http://127.0.0.1:9/secret"})
    assert scene.tick() == "the watchdog can't be reached (URLError)"
    bad = Scene(tmp_path / "bad", COST, alerts={"watchdog_url": "file:///etc/passwd"})
    with pytest.raises(InvalidError, match="watchdog_url = 'file' is not allowed"):
        bad.tick()


def test_a_kill_before_the_outbox_is_emptied_repeats_an_entry_that_readers_see_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AlertBook, "told", killed)
    with pytest.raises(KeyboardInterrupt):
        scene.tick()
    monkeypatch.undo()
    scene.restart()
    scene.tick()
    rows = sum(
        batch.num_rows
        for batch in Snapshot(scene.store).batches("alert_events", ["revision"], None, None)
    )
    from contextframe_monitoring.alerts.application import AlertManager

    manager = AlertManager(scene.store, scene.config, scene.clock)
    assert rows == 2
    assert [event.action for event in manager.history("1h").events] == ["fired"]
    assert manager.statistics("1h").fired == 1


def test_a_kill_before_the_alerts_are_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AlertBook, "change", killed)
    with pytest.raises(KeyboardInterrupt):
        scene.tick()
    monkeypatch.undo()
    assert (scene.alerts(), scene.state.book.memories()) == ([], {})
    scene.restart()
    scene.tick()
    assert scene.standing() == {"HighCost": "firing"}


@pytest.mark.requirement("alerts:evaluator:isolation")
def test_a_slow_rule_is_reported_rests_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"name": "Slow", "signal": "usage_count", "threshold": 1e6}
    scene = Scene(tmp_path, COST, slow, alerts={"default_rules": True, "rule_seconds_max": 2})
    scene.spend(150.0)
    asked: list[str] = []
    ask = Answers.ask

    def slowly(self: Answers, question: Question, *, is_past: bool = False) -> object:
        asked.append(question.table)
        answer, seconds = ask(self, question, is_past=is_past)
        return answer, 30.0 if question.table == "usage_metrics" else seconds

    monkeypatch.setattr(Answers, "ask", slowly)
    problem = scene.tick()
    assert problem == (
        "Slow: its question took 30.0 s, more than rule_seconds_max = 2: it is asked again in 600 "
        "s; shorten its window or filter"
    )
    assert scene.standing() == {"HighCost": "firing", "monitoring_rule_problem Slow": "firing"}
    asked.clear()
    scene.pass_minutes(1)
    assert "usage_metrics" not in asked
    asked.clear()
    scene.pass_minutes(10)
    assert "usage_metrics" in asked


def test_a_rule_that_raises_whatever_it_likes_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {"name": "Bad", "signal": "usage_count", "threshold": 1e6}
    scene = Scene(tmp_path, COST, bad)
    scene.spend(150.0)

    def answer(self: Question, source: object) -> object:
        if self.table == "usage_metrics":
            raise ZeroDivisionError("boom")
        return real(self, source)  # type: ignore[arg-type]

    real = Question.answer
    monkeypatch.setattr(Question, "answer", answer)
    assert scene.tick() == "Bad: its question failed (ZeroDivisionError: boom)"
    assert scene.standing() == {"HighCost": "firing"}


def test_losses_are_an_alert_until_the_window_has_passed(tmp_path: Path) -> None:
    rule = {"name": "Lost", "signal": "records_lost", "window": "10m"}
    scene = Scene(tmp_path, rule)
    scene.tick()
    scene.use()
    recorder = scene._recorder
    assert recorder is not None
    assert recorder.spool is not None
    recorder.spool.lose("invalid")
    scene.pass_minutes(1)
    [alert] = scene.alerts()
    assert (alert.state, alert.actual) == ("firing", 1.0)
    scene.pass_minutes(9)
    scene.pass_minutes(2)
    assert scene.standing() == {"Lost": "resolved"}
    assert dataclasses.asdict(alert)["unit"] == "records"


@pytest.mark.requirement("alerts:evaluator:many-groups")
def test_very_many_groups_at_once_are_bounded_and_one_incident(tmp_path: Path) -> None:
    rule = {
        "name": "Many", "signal": "error_count", "threshold": 0, "group_by": ["agent"],
    }  # fmt: skip
    scene = Scene(tmp_path, rule)
    for number in range(10_000):
        scene.call(1, agent=f"agent-{number:05}", status="error")
    problem = scene.tick()
    assert problem == (
        "Many: 10,000 groups meet it: the worst 500 are alerts; group by less, or filter"
    )
    [incident] = scene.desk.report().incidents
    assert (len(scene.alerts()), incident.count) == (500, 500)
