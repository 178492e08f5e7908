"""Services of apprise, one of them played by a server on loopback."""

from __future__ import annotations

import sys

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.core.errors import UnavailableError
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import Answer, http_sink

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
"""Apprise imports it where Python still has it."""
TABLE = {"type": "apprise", "url": {"env": "URL"}}


@pytest.mark.requirement("alerts:told:channels")
def test_a_notification_goes_to_a_service_of_apprise() -> None:
    said = notification(severity="error")
    with http_sink() as sink:
        url = sink.url.replace("http://", "json://")
        assert notifier(TABLE, {"URL": url}).send(said) == Sent()
    [got] = sink.got
    assert (got.json["title"], got.json["type"]) == (said.title, "failure")


def test_a_service_that_refuses_is_a_failed_delivery() -> None:
    with http_sink(Answer(500)) as sink:
        url = sink.url.replace("http://", "json://")
        with pytest.raises(DeliveryError, match="apprise could not deliver it"):
            notifier(TABLE, {"URL": url}).send(notification())


def test_an_address_that_apprise_does_not_know_is_refused_unseen() -> None:
    with pytest.raises(DeliveryError) as caught:
        notifier(TABLE, {"URL": "nonsense://secret"}).send(notification())
    assert str(caught.value) == "its url is none that apprise knows"


def test_without_apprise_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UnavailableError, match=r"pip install 'contextframe-monitoring\[notify\]'"):
        notifier(TABLE, {"URL": "json://x"}).send(notification())
