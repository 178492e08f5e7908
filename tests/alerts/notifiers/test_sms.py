"""Gateways of text messages, played by a server on loopback."""

from __future__ import annotations

import base64
import urllib.parse
from typing import Any

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.notifiers.sms import TEXT_CHARS_MAX, text_of
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import Answer, HttpSink, http_sink

ENVIRON = {"TOKEN": "gateway-token"}


def table(sink: HttpSink, **more: Any) -> dict[str, Any]:
    return {
        "type": "sms",
        "url": sink.url,
        "token": {"env": "TOKEN"},
        "sender": "+4930000",
        "numbers": ["+4931111", "+4932222"],
        **more,
    }


@pytest.mark.requirement("001:alerts:sms", "003:alertmgr:sms")
@pytest.mark.requirement("alerts:told:channels")
def test_twilio_gets_one_message_for_each_number() -> None:
    with http_sink(Answer(201)) as sink:
        found = notifier(table(sink, account="AC1"), ENVIRON)
        assert found.send(notification()) == Sent()
    assert {got.path for got in sink.got} == {"/2010-04-01/Accounts/AC1/Messages.json"}
    auth = base64.b64encode(b"AC1:gateway-token").decode()
    assert {got.headers["Authorization"] for got in sink.got} == {f"Basic {auth}"}
    forms = [dict(urllib.parse.parse_qsl(got.body.decode())) for got in sink.got]
    text = (
        "[FIRING: warning] HighDailyCost: cost of 1d is 600 USD, above 500"
        " https://wiki.example.org/cost"
    )
    assert forms == [
        {"To": "+4931111", "From": "+4930000", "Body": text},
        {"To": "+4932222", "From": "+4930000", "Body": text},
    ]


def test_another_gateway_gets_json_with_a_bearer() -> None:
    with http_sink() as sink:
        notifier(table(sink, gateway="json", numbers=["+49311"]), ENVIRON).send(notification())
    [got] = sink.got
    assert got.headers["Authorization"] == "Bearer gateway-token"
    assert (got.json["to"], got.json["from"]) == ("+49311", "+4930000")


def test_one_number_that_is_refused_keeps_nothing_from_the_others() -> None:
    with http_sink(Answer(400, "no such number"), Answer(201)) as sink:
        sent = notifier(table(sink, account="AC1"), ENVIRON).send(notification())
    assert sent.problem == "+4931111 is refused: HTTP 400: no such number"


def test_when_every_number_is_refused_nobody_was_told() -> None:
    with http_sink(Answer(429, "slow down", {"Retry-After": "9"})) as sink:
        with pytest.raises(DeliveryError) as caught:
            notifier(table(sink, account="AC1"), ENVIRON).send(notification())
        assert (caught.value.problem, caught.value.retry_after_seconds) == (
            "HTTP 429: slow down",
            9.0,
        )


def test_a_text_fits_into_two_messages() -> None:
    long = {"runbook_url": "https://wiki.example.org/" + "x" * 100}
    for said in (notification(message="y" * 900, details=long), notification(details={})):
        assert len(text_of(said)) <= TEXT_CHARS_MAX
