"""The dispatcher over a real state, with real channels: what arrives, how often, and what then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.store.notification_log import ChannelHealth
from contextframe_monitoring.store.store import Store
from tests.alerts.desk import Desk
from tests.alerts.sinks import Answer, HttpSink, certificate, hanging, http_sink, smtp_sink
from tests.clocks import ManualClock
from tests.core.delivered import made_alert

ENVIRON = {"KEY": "shared-key"}


def hook(sink: HttpSink, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": sink.url, "signing_key": {"env": "KEY"}, **more}


def kinds(sink: HttpSink) -> list[str]:
    return [got.json["kind"] for got in sink.got]


@pytest.mark.requirement("003:alertmgr:send", "001:alerts:lifecycle", "000:ac2:slack-email")
@pytest.mark.requirement("alerts:told:resolved")
def test_an_alert_is_told_acknowledged_and_resolved_once_each(tmp_path: Path) -> None:
    with http_sink() as sink, smtp_sink() as mail:
        desk = Desk(
            tmp_path,
            {
                "hook": hook(sink),
                "mail": {
                    "type": "email",
                    "host": "127.0.0.1",
                    "port": mail.port,
                    "security": "none",
                    "sender": "m@example.org",
                    "recipients": ["a@example.org"],
                },
            },
            environ=ENVIRON,
        )
        desk.fire("a")
        assert [desk.tick(), desk.tick(1), desk.tick(600)] == [None] * 3
        desk.change("a", acknowledged_us=desk.clock.us, acknowledged_by="me")
        desk.tick(1)
        desk.tick(1)
        desk.resolve("a")
        desk.tick(1)
        desk.tick(1)
        assert kinds(sink) == ["firing", "acknowledged", "resolved"]
        assert len({got.headers["X-Contextframe-Delivery"] for got in sink.got}) == 3
        assert len({got.json["thread"] for got in sink.got}) == 1
        assert len(mail.got) == 2
    noted = [(one.channel, one.outcome, one.reason) for one in desk.log.last()]
    assert sorted(noted) == [
        ("hook", "sent", "acknowledged"),
        ("hook", "sent", "first"),
        ("hook", "sent", "resolved"),
        ("mail", "sent", "first"),
        ("mail", "sent", "resolved"),
    ]


def test_nothing_happens_where_there_is_no_state_yet(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"wall": {"type": "dashboard"}})
    desk.store = Store(str(tmp_path / "other"))
    assert desk.another().tick(desk.clock.us) is None


@pytest.mark.requirement("000:alerts:dashboard-channel")
@pytest.mark.requirement("alerts:told:channels")
def test_a_dashboard_finds_the_notifications_in_the_store(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"wall": {"type": "dashboard"}})
    desk.fire("a")
    desk.tick()
    [one] = desk.log.last(channel="wall")
    assert one.notification["title"] == (
        "[FIRING: warning] HighDailyCost: cost of 1d is 600 USD, above 500"
    )


def test_another_process_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)}, environ=ENVIRON)
        desk.fire("a")
        desk.tick()
        desk.another()
        desk.tick(1)
        assert kinds(sink) == ["firing"]
        desk.resolve("a")
        desk.another()
        desk.tick(1)
        assert kinds(sink) == ["firing", "resolved"]


@pytest.mark.requirement("alerts:evaluator:many-groups")
def test_ten_thousand_groups_that_fire_at_once_are_one_bounded_message(tmp_path: Path) -> None:
    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)}, environ=ENVIRON)
        desk.book.put([made_alert(f"a{n}", group={"tool": f"t{n}"}) for n in range(10_000)])
        assert desk.tick() is None
        assert desk.tick(1) is None
        [got] = sink.got
        assert (got.json["firing"], len(got.json["alerts"])) == (10_000, 20)
        assert len(got.body) < 20_000


@pytest.mark.requirement("alerts:told:hangs")
def test_a_channel_that_hangs_delays_no_other_and_its_fallback_stands_in(tmp_path: Path) -> None:
    with http_sink() as stuck, http_sink() as fine, hanging() as stuck.before_answer:
        desk = Desk(
            tmp_path,
            {
                "stuck": hook(stuck, fallback="mail", timeout_seconds=60),
                "fine": hook(fine),
                "mail": {"type": "dashboard"},
            },
            environ=ENVIRON,
        )
        desk.fire("a")
        desk.until(lambda: len(fine.got) == 1 and len(stuck.got) == 1, seconds=0)
        desk.fire("b", rule="Slow")
        desk.until(lambda: len(desk.log.last(channel="fine")) == 2, seconds=0)
        assert (len(fine.got), len(stuck.got)) == (2, 1)
        assert desk.log.health().get("stuck") is None
        desk.tick_only(180)  # three of its timeouts
        [said] = [one for one in desk.log.last() if one.outcome == "failed"]
        assert (said.channel, said.problem) == ("stuck", "no end after 180 s: it hangs")
        desk.until(lambda: len(desk.log.last(channel="mail")) == 2, seconds=0)
        problem = desk.tick_only()
        assert problem == "channel stuck is down, mail stands in: no end after 180 s: it hangs"


def test_a_late_success_counts_unless_it_was_told_since(tmp_path: Path) -> None:
    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink, timeout_seconds=60)}, environ=ENVIRON)
        with hanging() as sink.before_answer:
            desk.fire("a")
            desk.until(lambda: len(sink.got) == 1, seconds=0)
            desk.tick_only(180)
            assert desk.log.health()["hook"].down
        desk.until(lambda: not desk.log.health()["hook"].down, seconds=0)
        assert len(sink.got) == 1
        desk.tick(1)
        assert kinds(sink) == ["firing"]


@pytest.mark.requirement("alerts:told:retry")
def test_what_fails_is_tried_again_later_and_later(tmp_path: Path) -> None:
    with http_sink(Answer(500, "oops"), Answer(500), Answer(200)) as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)}, environ=ENVIRON)
        desk.fire("a")
        desk.tick()
        assert desk.tick(1) == "channel hook fails: HTTP 500: oops"
        assert len(sink.got) == 1
        desk.tick(1.5)  # two seconds, spread by a quarter
        desk.tick(2)
        assert len(sink.got) == 2
        desk.tick(3)
        assert len(sink.got) == 3
        assert desk.tick(1) is None
        assert desk.log.health()["hook"].failures == 0
    ids = {got.headers["X-Contextframe-Delivery"] for got in sink.got}
    assert len(ids) == 1


@pytest.mark.requirement("alerts:told:retry")
def test_a_service_that_asks_for_patience_gets_it_and_is_not_down(tmp_path: Path) -> None:
    with http_sink(Answer(429, "slow down", {"Retry-After": "100"}), Answer()) as sink:
        desk = Desk(
            tmp_path,
            {"hook": hook(sink, fallback="wall"), "wall": {"type": "dashboard"}},
            environ=ENVIRON,
        )
        desk.fire("a")
        desk.tick()
        desk.fire("b", rule="Other")
        desk.tick(99)
        assert len(sink.got) == 1
        desk.tick(1)
        desk.tick(1)
        assert kinds(sink) == ["firing"] * 3
        assert desk.log.last(channel="wall") == []


@pytest.mark.requirement("alerts:told:breaker")
def test_a_channel_that_fails_is_down_and_comes_back_by_itself(tmp_path: Path) -> None:
    with http_sink(Answer(500)) as sink:
        desk = Desk(
            tmp_path,
            {"hook": hook(sink, fallback="wall"), "wall": {"type": "dashboard"}},
            environ=ENVIRON,
        )
        desk.fire("a")
        desk.until(lambda: "hook" in desk.log.health() and desk.log.health()["hook"].down)
        assert len(sink.got) == 5
        desk.until(lambda: len(desk.log.last(channel="wall")) == 1, seconds=0)
        assert desk.tick() == "channel hook is down, wall stands in: HTTP 500: ok"
        sink.answers = [Answer()]
        desk.until(lambda: len(sink.got) == 6, seconds=10)
        desk.until(lambda: desk.tick() is None)
        desk.resolve("a")
        desk.tick(1)
        assert kinds(sink)[-1] == "resolved"
        assert desk.log.last(channel="wall")[0].reason == "resolved"


@pytest.mark.requirement("alerts:told:certificate")
def test_a_certificate_that_nobody_vouches_for_is_said_and_the_others_are_told(
    tmp_path: Path,
) -> None:
    context, _ = certificate(tmp_path)
    with http_sink(tls=context) as bad, http_sink() as good:
        desk = Desk(tmp_path, {"bad": hook(bad), "good": hook(good)}, environ=ENVIRON)
        desk.fire("a")
        desk.tick()
        assert desk.tick(1) == (
            "channel bad fails: its certificate is not trusted: self-signed certificate"
        )
        assert (len(good.got), bad.got) == (1, [])


def test_a_secret_that_is_missing_is_said_before_anything_fires(tmp_path: Path) -> None:
    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)})
        said = "channels.hook.signing_key: the variable KEY is not set"
        assert desk.tick() == said
        desk.fire("a")
        desk.tick()
        assert desk.tick(1) == f"channel hook fails: {said}"
        desk.environ["KEY"] = "x"
        desk.until(lambda: kinds(sink) == ["firing"])


def test_a_recipient_that_is_refused_is_remembered_with_its_channel(tmp_path: Path) -> None:
    with smtp_sink() as mail:
        mail.refused["b@example.org"] = "550 no"
        table = {
            "type": "email",
            "host": "127.0.0.1",
            "port": mail.port,
            "security": "none",
            "sender": "m@example.org",
            "recipients": ["a@example.org", "b@example.org"],
        }
        desk = Desk(tmp_path, {"mail": table})
        desk.fire("a")
        desk.tick()
        desk.tick(1)
        assert len(mail.got) == 1
    assert desk.log.health()["mail"] == ChannelHealth(
        channel="mail",
        sent_us=desk.clock.us - 1_000_000,
        problem="b@example.org is refused: 550 no",
    )


def test_a_rule_that_names_an_unknown_channel_is_said_and_its_alert_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"wall": {"type": "dashboard"}})
    desk.fire("a", channels=("wal",))
    assert desk.tick() == "rule 'HighDailyCost' names no channel 'wal'"
    assert len(desk.log.last(channel="wall")) == 1


@pytest.mark.requirement("alerts:told:rate")
def test_what_waits_for_the_hourly_limit_is_said(tmp_path: Path) -> None:
    wall = {"type": "dashboard", "notifications_per_hour_max": 2}
    desk = Desk(tmp_path, {"wall": wall}, group_by=["alert"])
    for name in "abcd":
        desk.fire(name)
    for _ in range(3):
        problem = desk.tick(1)
    assert problem == "2 notifications wait for their channel's hourly limit"
    assert len(desk.log.last()) == 2
    desk.tick(3600)
    desk.tick(1)
    assert len(desk.log.last()) == 4


def test_while_the_state_takes_no_notes_nobody_is_told_again_and_again(tmp_path: Path) -> None:
    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)}, environ=ENVIRON)
        engine = desk.store.engine
        assert engine is not None
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON notification_channels"
                " BEGIN SELECT RAISE(FAIL, 'no room'); END"
            )
        desk.fire("a")
        desk.tick()
        for _ in range(3):
            with pytest.raises(Exception, match="no room"):
                desk.tick(10)
        assert len(sink.got) == 1
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER full")
        assert desk.tick(1) is None
        desk.tick(1)
        assert len(sink.got) == 1
        assert desk.log.health()["hook"].sent_us is not None


def test_figures_are_added_where_the_alert_is_about_some(tmp_path: Path) -> None:
    asked = list[str]()

    def explain(about: str) -> list[str]:
        asked.append(about)
        return [f"figures of {about}"]

    with http_sink() as sink:
        desk = Desk(tmp_path, {"hook": hook(sink)}, environ=ENVIRON)
        desk.another(explain=explain)
        desk.fire("a")
        desk.fire("b", rule="Lost", signal="records_lost")
        desk.tick()
        desk.tick(1)
        said = {got.json["alerts"][0]["rule"]: got.json["analytics"] for got in sink.got}
        assert said == {"HighDailyCost": ["figures of cost"], "Lost": []}
        desk.resolve("a")
        desk.tick(1)
        assert asked == ["cost"]


class SlowClock(ManualClock):
    """Every look at it takes 50 ms."""

    def monotonic_ns(self) -> int:
        self.ns += 50_000_000
        return self.ns


def test_a_look_that_takes_long_is_taken_seldom_but_at_once_when_something_changes(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, {"wall": {"type": "dashboard"}})
    desk.clock = SlowClock()
    desk.another()
    desk.fire("a", silenced_until_us=desk.clock.us + 1_000_000)
    desk.tick(0)  # takes more than 50 ms: for more than a second no other is needed
    desk.tick(1)
    assert desk.log.last() == []
    desk.until(lambda: len(desk.log.last()) == 1, seconds=1)
    desk.until(lambda: desk.dispatcher.tick(desk.clock.us) is None)
    desk.fire("b", rule="Slow")
    desk.tick(0)
    desk.until(lambda: len(desk.log.last()) == 2, seconds=0)
