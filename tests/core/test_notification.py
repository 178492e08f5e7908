"""What is said: bounded, printable, aggregates only, names as data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.notification import (
    ALERTS_MAX,
    Link,
    as_json,
    compose,
    compose_notice,
    delivery_id_of,
    line,
    plain_text,
    thread_of,
    trial,
    with_analytics,
)
from contextframe_monitoring.core.routing import Notice
from tests.alerts.said import notification
from tests.clocks import NOW_US
from tests.core.delivered import made_alert


@pytest.mark.requirement("000:alerts:trigger-multi-channel", "000:ac2:analytics-in-alert")
@pytest.mark.requirement("alerts:told:contents")
def test_an_alert_is_told_with_figures_a_recommendation_and_links() -> None:
    said = with_analytics(notification(), ["cost: $600.0000 of late", "a: $400 (66 %)"])
    assert said.title == "[FIRING: warning] HighDailyCost: cost of 1d is 600 USD, above 500"
    assert plain_text(said) == (
        "- warning HighDailyCost: cost of 1d is 600 USD, above 500 [provider=anthropic]\n"
        "\n"
        "cost: $600.0000 of late\n"
        "a: $400 (66 %)\n"
        "\n"
        "What to do: see which model or tool it comes from: contextframe-monitoring report cost\n"
        "runbook: https://wiki.example.org/cost\n"
        "alert: monitoring://alerts/a1\n"
        "at 2026-11-18T11:06:40+00:00"
    )


def test_the_name_of_a_rule_is_not_said_twice() -> None:
    said = notification(message="HighDailyCost: cost is 600 USD")
    assert said.title == "[FIRING: warning] HighDailyCost: cost is 600 USD"
    assert said.alerts[0].message == "cost is 600 USD"


def test_what_is_over_needs_no_recommendation() -> None:
    said = notification("resolved")
    assert said.title == "[RESOLVED: warning] HighDailyCost: cost of 1d is 600 USD, above 500"
    assert said.recommendation is None
    assert plain_text(said).startswith(
        "- warning HighDailyCost: cost of 1d is 600 USD, above 500 [provider=anthropic], resolved\n"
    )


def test_many_alerts_are_counted_and_the_worst_are_named() -> None:
    alerts = [made_alert(f"a{n:05}", rule=f"R{n % 5}") for n in range(9999)]
    alerts.append(made_alert("worst", rule="Worst", severity="critical"))
    said = compose(
        "firing", delivery_id="d", topic="t", firing=alerts, resolved=[], gone=3, at_us=NOW_US
    )
    assert said.title == "[FIRING: critical] Worst, R0, R1, ... (10000 firing, 3 resolved)"
    assert (said.severity, said.firing, said.resolved) == ("critical", 10_000, 3)
    assert [alert.alert_id for alert in said.alerts][:2] == ["worst", "a00000"]
    assert (len(said.alerts), said.omitted) == (ALERTS_MAX, 10_003 - ALERTS_MAX)
    assert len(json.dumps(as_json(said))) < 10_000


def test_a_rule_s_own_words_are_said() -> None:
    said = notification(
        details={"summary": "it costs", "description": "a lot", "recommendation": "stop", "x": "y"}
    )
    assert (said.lines, said.recommendation) == (("it costs", "a lot"), "stop")
    assert "x" not in as_json(said)


@pytest.mark.requirement("000:sec:aggregate-notifications")
@pytest.mark.requirement("alerts:told:contents")
def test_what_an_application_gave_with_its_alert_is_not_sent_on() -> None:
    said = notification(details={"prompt": "the whole prompt", "query": "select secrets"})
    assert "the whole prompt" not in json.dumps(as_json(said))
    assert "select secrets" not in json.dumps(as_json(said))


def test_only_addresses_of_the_web_become_links() -> None:
    for url in ("javascript:alert(1)", "file:///etc/passwd", "https://a b", "", "data:x"):
        said = notification(details={"runbook_url": url})
        assert said.links == (Link(name="alert", url="monitoring://alerts/a1"),)


def test_credentials_in_a_message_are_masked() -> None:
    said = notification(message="failed with token=abcdef1234567890")
    assert said.alerts[0].message == "failed with [masked]"


def test_a_notice_and_a_trial_are_notifications_too() -> None:
    notice = Notice(
        topic="r", severity="critical", title="a review", lines=("why",) * 30, channels=()
    )
    said = compose_notice(notice, delivery_id="d", at_us=NOW_US, dashboard_url="https://d")
    assert (said.title, said.kind, len(said.lines)) == ("[CODE REVIEW] a review", "review", 20)
    assert said.links == (Link(name="dashboard", url="https://d"),)
    assert trial("ops", "d", NOW_US).title == "[TEST] contextframe-monitoring reaches channel ops"


def test_ids_tell_channels_topics_and_numbers_apart() -> None:
    ids = {delivery_id_of(c, t, n) for c in ("a", "b") for t in ("x", "y") for n in (0, 1)}
    assert len(ids) == 8
    assert {len(one) for one in ids} == {32}
    assert delivery_id_of("a", "x", 1) == delivery_id_of("a", "x", 1)
    assert thread_of("x") != thread_of("y")


HOSTILE = st.text(max_size=400)


@given(rule=HOSTILE, message=HOSTILE, key=HOSTILE, value=HOSTILE, detail=HOSTILE)
def test_no_text_breaks_out_of_its_line(
    rule: str, message: str, key: str, value: str, detail: str
) -> None:
    said = notification(
        rule=rule,
        message=message,
        group={key: value},
        details={"summary": detail, "runbook_url": detail},
    )
    assert said.title.isprintable()
    assert len(said.title) <= 160
    for one in plain_text(said).split("\n"):
        assert one.isprintable()
        assert len(one) <= 1200
    json.dumps(as_json(said)).encode()


@given(HOSTILE, st.integers(2, 300))
def test_a_line_is_one_printable_line(text: str, chars_max: int) -> None:
    assert line(text, chars_max).isprintable()
    assert len(line(text, chars_max)) <= chars_max
