"""Notifiers of other packages: one class and one entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.registry import lacking
from contextframe_monitoring.core.channel_settings import channels_from
from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from tests.alerts.said import notification, notifier

PLUGIN = """
class Matrix:
    def __init__(self, room, token):
        self.room, self.token, self.sent = room, token, []

    def send(self, notification):
        if self.room == "closed":
            raise RuntimeError(f"room {self.room} refuses {self.token}")
        with open(self.room, "a") as file:
            file.write(f"{self.token} {notification.title}")
"""
ENTRIES = """
[contextframe_monitoring.notifiers]
matrix = notifier_of_a_test:Matrix
broken = notifier_of_a_test:Missing
"""


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    (folder / "notifier_of_a_test-1.dist-info").mkdir(parents=True)
    (folder / "notifier_of_a_test.py").write_text(PLUGIN)
    (folder / "notifier_of_a_test-1.dist-info/METADATA").write_text("Name: notifier-of-a-test\n")
    (folder / "notifier_of_a_test-1.dist-info/entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "notifier_of_a_test", raising=False)


def table(name: str, room: str) -> dict[str, object]:
    options = {"room": room, "token": {"env": "TOKEN"}}
    return {"type": "plugin", "notifier": name, "options": options}


@pytest.mark.usefixtures("_plugin")
@pytest.mark.requirement("000:ext:channel-plugins", "001:arch:plugins")
@pytest.mark.requirement("alerts:told:plugin")
def test_another_package_brings_a_channel_by_entry_point(tmp_path: Path) -> None:
    room = tmp_path / "room"
    found = notifier(table("matrix", str(room)), {"TOKEN": "s3cret-token"})
    assert found.send(notification()) == Sent()
    assert room.read_text() == f"s3cret-token {notification().title}"


@pytest.mark.usefixtures("_plugin")
def test_whatever_it_raises_is_a_failed_delivery_without_its_secrets() -> None:
    with pytest.raises(DeliveryError) as caught:
        notifier(table("matrix", "closed"), {"TOKEN": "s3cret-token"}).send(notification())
    assert str(caught.value) == ("notifier 'matrix': RuntimeError: room closed refuses [masked]")


@pytest.mark.usefixtures("_plugin")
def test_one_that_is_broken_or_missing_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"notifier 'broken' of notifier_of_a_test:Missing"):
        notifier(table("broken", "x"), {"TOKEN": "t"}).send(notification())
    with pytest.raises(InvalidError, match="notifier = 'signal' is not allowed"):
        notifier(table("signal", "x"), {"TOKEN": "t"}).send(notification())


@pytest.mark.usefixtures("_plugin")
def test_what_a_channel_lacks_is_said_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(found: dict[str, object]) -> list[str]:
        return lacking("ops", channels_from({"ops": found}, "here")["ops"], {"TOKEN": "t"})

    assert said(table("matrix", "x")) == []
    assert said(table("signal", "x")) == [
        "notifier 'signal' is not installed, of plug-ins broken, matrix are"
    ]
    monkeypatch.setitem(sys.modules, "apprise", None)  # as if it were not installed
    assert said({"type": "apprise", "url": {"env": "TOKEN"}}) == [
        "channels of type apprise need: pip install 'contextframe-monitoring[notify]'"
    ]
