"""PagerDuty's events API, played by a server on loopback."""

from __future__ import annotations

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.core.notification import trial
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import Answer, http_sink
from tests.clocks import NOW_US

ENVIRON = {"KEY": "R0123456789"}


@pytest.mark.requirement("001:alerts:pagerduty")
@pytest.mark.requirement("alerts:told:channels")
def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_key() -> None:
    with http_sink(Answer(202)) as sink:
        table = {"type": "pagerduty", "routing_key": {"env": "KEY"}, "url": sink.url}
        pager = notifier(table, ENVIRON)
        assert pager.acknowledges
        firing = notification(severity="critical")
        for said in (firing, notification("acknowledged"), notification("resolved")):
            assert pager.send(said) == Sent()
    trigger, acknowledge, resolve = (got.json for got in sink.got)
    base = {"routing_key": "R0123456789", "dedup_key": firing.thread}
    assert acknowledge == {**base, "event_action": "acknowledge"}
    assert resolve == {**base, "event_action": "resolve"}
    details = trigger["payload"].pop("custom_details")
    assert details["alerts"][0]["rule"] == "HighDailyCost"
    assert trigger == {
        **base,
        "event_action": "trigger",
        "client": "contextframe-monitoring",
        "payload": {
            "summary": firing.title,
            "source": "contextframe-monitoring",
            "severity": "critical",
            "timestamp": "2026-11-18T11:06:40+00:00",
        },
        "links": [{"href": "https://wiki.example.org/cost", "text": "runbook"}],
    }


def test_a_trial_leaves_no_incident_behind() -> None:
    with http_sink(Answer(202)) as sink:
        table = {"type": "pagerduty", "routing_key": {"env": "KEY"}, "url": sink.url}
        notifier(table, ENVIRON).send(trial("ops", "d", NOW_US))
    assert [got.json["event_action"] for got in sink.got] == ["trigger", "resolve"]


def test_a_key_that_is_refused_is_not_repeated_in_the_error() -> None:
    with http_sink(Answer(400, '{"errors":["R0123456789 is no key"]}')) as sink:
        table = {"type": "pagerduty", "routing_key": {"env": "KEY"}, "url": sink.url}
        with pytest.raises(DeliveryError) as caught:
            notifier(table, ENVIRON).send(notification())
    assert str(caught.value) == 'HTTP 400: {"errors":["[masked] is no key"]}'
