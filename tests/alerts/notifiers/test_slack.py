"""Slack, played by a server on loopback."""

from __future__ import annotations

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.notifiers.slack import message
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import Answer, http_sink

TABLE = {"type": "slack", "url": {"env": "URL"}}


@pytest.mark.requirement("001:alerts:slack", "000:alerts:slack", "000:test:mock-channels")
@pytest.mark.requirement("alerts:told:channels")
@pytest.mark.requirement("000:dep:delivery", "001:test:isolation")
def test_a_notification_is_one_message_to_the_webhook() -> None:
    with http_sink() as sink:
        said = notification()
        assert notifier(TABLE, {"URL": f"{sink.url}/services/T/B/x"}).send(said) == Sent()
    [got] = sink.got
    assert (got.path, got.headers["Content-Type"]) == (
        "/services/T/B/x",
        "application/json; charset=utf-8",
    )
    body = got.json
    assert body["text"] == said.title
    assert [block["type"] for block in body["blocks"]] == ["header", "section"]
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert "What to do: " in body["blocks"][1]["text"]["text"]


def test_no_name_mentions_anybody_or_breaks_a_bound() -> None:
    said = message(notification(message="<!channel> & <@U1> " + "y" * 9000, rule="<!here>"))
    assert "<" not in str(said["text"])
    header, section = said["blocks"]  # type: ignore[misc]
    assert len(header["text"]["text"]) <= 150  # type: ignore[has-type]
    assert len(section["text"]["text"]) <= 3000  # type: ignore[has-type]


def test_what_slack_refuses_is_said_in_its_words() -> None:
    with http_sink(Answer(403, "invalid_token")) as sink:
        with pytest.raises(DeliveryError) as caught:
            notifier(TABLE, {"URL": f"{sink.url}/services/T0123456"}).send(notification())
        assert str(caught.value) == "HTTP 403: invalid_token"
