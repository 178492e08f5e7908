"""Who is told what, and when: each test is a scenario over time."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.delivery import Health, Told
from contextframe_monitoring.core.routing import Notice
from tests.clocks import NOW_US
from tests.core.delivered import SECOND_US, World, made_channels

HOUR = 3600


@pytest.mark.requirement("001:alerts:correlation", "003:ok:dedup")
@pytest.mark.requirement("alerts:told:grouping")
def test_alerts_that_fire_together_are_one_notification_after_the_wait() -> None:
    world = World()
    world.fire("a", incident_id="i")
    assert world.heard(10) == []
    assert world.held() == [("ops", "group wait", 20.0)]
    world.fire("b", incident_id="i", rule="Slow")
    assert world.heard(19) == []
    assert world.heard(1) == ["ops first: a b"]
    assert world.heard(3 * HOUR) == []


def test_groups_are_told_apart() -> None:
    world = World(group_by=["severity", "tool"], group_wait_seconds=0)
    world.fire("a", group={"tool": "x"})
    world.fire("b", group={"tool": "y"})
    world.fire("c", labels={"tool": "x"})
    assert world.heard() == ["ops first: a c", "ops first: b"]


@pytest.mark.requirement("alerts:told:grouping")
def test_what_joins_a_group_later_waits_for_the_interval() -> None:
    world = World(group_by=["rule"])
    world.fire("a")
    assert world.heard(30) == ["ops first: a"]
    world.fire("b")
    assert world.heard(299) == []
    assert world.held() == [("ops", "group interval", 1.0)]
    assert world.heard(1) == ["ops new alerts: a b"]


@pytest.mark.requirement("000:alerts:throttling", "000:prio:alert-fatigue")
@pytest.mark.requirement("alerts:told:grouping")
def test_what_goes_on_is_repeated_seldom_and_not_once_somebody_has_acknowledged_it() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    assert world.heard() == ["ops first: a"]
    assert world.heard(4 * HOUR - 1) == []
    assert world.heard(1) == ["ops repeat: a"]
    world.change("a", acknowledged_us=world.now_us, acknowledged_by="me")
    assert world.heard(100 * HOUR) == []


def test_what_is_over_is_told_at_once_and_once() -> None:
    world = World(group_by=["rule"], group_wait_seconds=0)
    world.fire("a")
    world.fire("b")
    assert world.heard() == ["ops first: a b"]
    world.resolve("a")
    assert world.heard(1) == []  # half of it can wait
    assert world.heard(299) == ["ops resolved: b, over: a"]
    world.resolve("b")
    assert world.heard(1) == ["ops resolved: over: b"]
    assert world.heard(1000 * HOUR) == []


def test_what_fired_and_ended_before_anybody_was_told_is_told_to_nobody() -> None:
    world = World()
    world.fire("a")
    world.heard(29)
    world.resolve("a")
    assert world.heard(1) == []


def test_a_channel_that_wants_no_end_hears_of_the_next_beginning() -> None:
    world = World(made_channels(ops={"send_resolved": False}), group_by=["rule"])
    world.fire("a")
    world.heard(30)
    world.resolve("a")
    assert world.heard(1) == []
    world.fire("b")
    assert world.heard(300) == ["ops first: b"]


def test_what_flaps_is_held_down_by_the_interval() -> None:
    world = World(group_by=["rule"], group_wait_seconds=0)
    heard = []
    for turn in range(60):
        world.fire(f"a{turn}")
        heard += world.heard(5)
        world.resolve(f"a{turn}")
        heard += world.heard(5)
    assert len(heard) == 4  # in ten minutes: one beginning and one end for each interval


def test_what_was_told_and_nobody_knows_any_more_counts_as_over() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    world.heard()
    del world.alerts["a"]
    assert world.heard(1) == ["ops resolved: over: a"]


def test_a_silenced_alert_is_told_when_the_silence_is_over() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a", silenced_until_us=NOW_US + 100 * SECOND_US)
    assert world.heard(99) == []
    assert world.heard(1) == ["ops first: a"]


def test_a_silence_hides_repeats_but_not_the_end() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    world.heard()
    world.change("a", silenced_until_us=NOW_US + 100 * HOUR * SECOND_US)
    assert world.heard(50 * HOUR) == []
    world.resolve("a")
    assert world.heard(1) == ["ops resolved: over: a"]


def test_an_alert_that_a_worse_one_says_is_not_told() -> None:
    world = World(group_wait_seconds=0, group_by=["rule"])
    world.fire("mild", held_back_by="bad")
    world.fire("bad", severity="critical")
    assert world.heard() == ["ops first: bad"]
    world.change("mild", held_back_by=None)
    assert world.heard(300) == ["ops new alerts: bad mild"]


def test_a_pending_alert_is_told_to_nobody() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a", state="pending")
    assert world.heard(1000) == []


def test_an_acknowledgement_is_told_to_those_who_want_it_and_once() -> None:
    world = World(made_channels(pager={}, mail={}), group_wait_seconds=0, group_by=["rule"])
    world.acknowledging = frozenset({"pager"})
    world.fire("a")
    world.heard()
    world.change("a", acknowledged_us=world.now_us, acknowledged_by="me")
    assert world.heard(1) == ["pager acknowledged: a"]
    assert world.heard(1) == []
    world.fire("b")
    assert world.heard(300) == ["mail new alerts: a b", "pager new alerts: a b"]
    world.change("b", acknowledged_us=world.now_us, acknowledged_by="me")
    assert world.heard(1) == ["pager acknowledged: a b"]


def test_an_alert_that_is_acknowledged_before_anybody_was_told_is_told_and_then_acknowledged() -> (
    None
):
    world = World()
    world.acknowledging = frozenset({"ops"})
    world.fire("a", acknowledged_us=NOW_US, acknowledged_by="me")
    assert world.heard(30) == ["ops first: a"]
    assert world.heard(1) == ["ops acknowledged: a"]
    assert world.heard(1) == []


@pytest.mark.requirement("001:alerts:escalation", "000:ext:custom-escalation")
@pytest.mark.requirement("alerts:told:escalation")
def test_an_alert_that_nobody_acknowledges_climbs_the_chain() -> None:
    steps = [
        {"after_seconds": 900, "channels": ["boss"]},
        {"after_seconds": 3600, "channels": ["chief", "ops"]},
    ]
    channels = made_channels(ops={}, boss={}, chief={})
    world = World(channels, group_wait_seconds=0, channels=["ops"], escalation=steps)
    world.fire("a", severity="critical")
    world.fire("mild")
    assert world.heard() == ["ops first: a mild"]
    assert world.heard(899) == []
    assert world.heard(1) == ["boss escalation: a"]
    assert world.heard(2700) == ["chief escalation: a", "ops escalation: a"]
    world.change("a", acknowledged_us=world.now_us, acknowledged_by="boss")
    assert world.heard(2 * HOUR) == []
    world.resolve("a")
    assert sorted(world.heard(3 * HOUR)) == [
        "boss resolved: over: a",
        "chief resolved: over: a",
        "ops resolved: mild, over: a",
        "ops resolved: over: a",
    ]


@pytest.mark.requirement("alerts:told:escalation")
def test_an_alert_that_is_acknowledged_in_time_does_not_escalate() -> None:
    steps = [{"after_seconds": 900, "channels": ["boss"]}]
    channels = made_channels(ops={}, boss={})
    world = World(channels, group_wait_seconds=0, channels=["ops"], escalation=steps)
    world.fire("a", severity="critical")
    world.heard()
    world.change("a", acknowledged_us=world.now_us, acknowledged_by="me")
    assert world.heard(900) == []


@pytest.mark.requirement("000:rel:alert-availability")
def test_a_fallback_stands_in_for_a_channel_that_is_down_and_only_then() -> None:
    world = World(made_channels(ops={"fallback": "mail"}, mail={}), group_wait_seconds=0)
    world.fire("a")
    world.health["ops"] = Health(failures=5, down=True, retry_us=NOW_US + 60 * SECOND_US)
    assert world.heard() == ["mail first: a"]
    assert world.held() == [("ops", "channel is down", 60.0)]
    assert world.heard(60) == ["ops first: a"]  # it is tried again
    world.health["ops"] = Health()
    assert world.heard(4 * HOUR) == ["ops repeat: a"]
    world.resolve("a")
    assert world.heard(1) == ["mail resolved: over: a", "ops resolved: over: a"]


def test_a_fallback_stands_in_for_one_thing_that_is_refused_again_and_again() -> None:
    world = World(made_channels(ops={"fallback": "mail"}, mail={}), group_wait_seconds=0)
    world.fire("a")
    [one] = world.decisions()
    world.told["ops", one.topic] = Told(
        channel="ops", topic=one.topic, attempts=3, retry_us=NOW_US + 8 * SECOND_US
    )
    assert world.heard() == ["mail first: a"]
    assert world.heard(8) == ["ops first: a"]


def test_a_channel_that_asks_for_patience_gets_it() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    world.health["ops"] = Health(failures=1, retry_us=NOW_US + 30 * SECOND_US)
    assert world.heard() == []
    assert world.held() == [("ops", "retry later", 30.0)]
    assert world.heard(30) == ["ops first: a"]


@pytest.mark.requirement("001:alerts:rate-limit")
def test_beyond_its_limit_a_channel_is_told_the_worst_first() -> None:
    world = World(
        made_channels(ops={"notifications_per_hour_max": 2}),
        group_by=["alert"],
        group_wait_seconds=0,
    )
    for name, severity in (("a", "info"), ("b", "error"), ("c", "critical"), ("d", "warning")):
        world.fire(name, severity=severity)
    assert world.heard() == ["ops first: c", "ops first: b"]
    world.health["ops"] = Health(sent_last_hour=2)
    assert world.heard(1) == []
    assert [reason for _, reason, _ in world.held()] == ["rate limit", "rate limit"]
    world.health["ops"] = Health(sent_last_hour=1)
    assert world.heard(1) == ["ops first: d"]


@pytest.mark.requirement("001:alerts:rule-channels")
def test_a_rule_names_its_channels_others_go_by_severity() -> None:
    world = World(
        made_channels(ops={}, pager={"min_severity": "critical"}, boss={}),
        channels=["ops", "pager"],
        group_wait_seconds=0,
        group_by=["alert"],
    )
    world.fire("a")
    world.fire("b", severity="critical")
    world.fire("c", channels=("boss", "pager"))
    world.fire("d", channels=("nowhere",))
    assert sorted(world.heard()) == [
        "boss first: c",
        "ops first: a",
        "ops first: b",
        "ops first: d",
        "pager first: b",
        "pager first: c",
    ]


def test_without_a_list_every_channel_is_told_but_those_that_stand_behind_others() -> None:
    channels = made_channels(ops={"fallback": "mail"}, mail={}, wall={})
    world = World(channels, group_wait_seconds=0)
    world.fire("a")
    assert world.heard() == ["ops first: a", "wall first: a"]


def test_a_notice_is_told_once_to_each_of_its_channels() -> None:
    world = World(made_channels(ops={}, mail={}))
    world.notices = [
        Notice(topic="r", severity="critical", title="t", lines=(), channels=("ops", "gone"))
    ]
    assert world.heard() == ["ops review"]
    assert world.heard(9 * HOUR) == []


@pytest.mark.parametrize("jump", [-400 * 24 * HOUR, -HOUR, 400 * 24 * HOUR])
def test_a_clock_that_jumps_repeats_at_most_once_and_swallows_nothing(jump: int) -> None:
    world = World(group_by=["rule"])
    world.fire("a")
    assert world.heard(30) == ["ops first: a"]
    heard = world.heard(jump) + world.heard(1)
    assert heard in ([], ["ops repeat: a"])
    world.fire("b")
    assert world.heard(300) == ["ops new alerts: a b"]


def test_a_retry_planned_before_the_clock_went_back_is_due() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    world.health["ops"] = Health(failures=5, down=True, retry_us=NOW_US + 60 * SECOND_US)
    world.now_us -= 365 * 24 * HOUR * SECOND_US
    assert world.heard() == ["ops first: a"]


EVENTS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["fire", "resolve", "ack", "forget"])),
    max_size=30,
)


@given(events=EVENTS, lost=st.sets(st.integers(0, 200), max_size=40), wait=st.integers(0, 60))
def test_in_the_end_a_channel_knows_exactly_what_fires(
    events: list[tuple[str, str]], lost: set[int], wait: int
) -> None:
    """Whatever happens, and whichever notes are lost to crashes: nobody is left in silence."""
    world = World(group_by=["rule"], group_wait_seconds=wait)
    runs = dict[str, int]()
    for turn, (name, event) in enumerate([*events, *[("", "")] * 20]):
        alert_id = f"{name}{runs.get(name, 0)}"
        if event == "fire" and alert_id not in world.alerts:
            world.fire(alert_id)
        elif event == "resolve" and alert_id in world.alerts:
            world.resolve(alert_id)
            runs[name] = runs.get(name, 0) + 1
        elif event == "ack" and alert_id in world.alerts:
            world.change(alert_id, acknowledged_us=world.now_us)
        elif event == "forget" and world.alerts.get(alert_id):
            del world.alerts[alert_id]
            runs[name] = runs.get(name, 0) + 1
        before = dict(world.told)
        world.heard(60)
        if turn in lost and event:
            world.told = before  # killed between "sent" and "noted as sent"
    firing = {name for name, alert in world.alerts.items() if alert.state == "firing"}
    assert {one for it in world.told.values() for one in it.firing} == firing
    assert world.heard(1) == []


def test_nothing_is_decided_about_nothing() -> None:
    assert World().heard(1) == []
    assert World({}).heard(1) == []


def test_what_is_told_does_not_depend_on_the_order_of_alerts() -> None:
    world = World(group_by=["alert"], group_wait_seconds=0)
    for name in "abc":
        world.fire(name)
    other = World(group_by=["alert"], group_wait_seconds=0)
    other.alerts = dict(reversed(world.alerts.items()))
    assert world.heard() == other.heard()


def test_told_again_after_a_lost_note_is_the_same_number() -> None:
    world = World(group_wait_seconds=0)
    world.fire("a")
    [one] = world.decisions()
    world.heard()
    assert world.told["ops", one.topic].number == 1
    assert dataclasses.replace(world.told["ops", one.topic], number=0, sent_us=None) == Told(
        channel="ops", topic=one.topic, firing=frozenset({"a"})
    )
