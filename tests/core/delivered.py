"""A small world of alerts and channels that never fail, moved by hand: who hears what, and when."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.channel_settings import Channel, channels_from
from contextframe_monitoring.core.delivery import (
    Decision,
    Health,
    Situation,
    Told,
    decide,
    known_after,
)
from contextframe_monitoring.core.notification_settings import NotificationSettings
from contextframe_monitoring.core.routing import Notice
from tests.clocks import NOW_US

SECOND_US = 1_000_000


def made_alert(name: str, **changes: Any) -> Alert:
    """Return a firing alert of the rule HighDailyCost."""
    alert = Alert(
        alert_id=name,
        rule="HighDailyCost",
        signal="cost",
        severity="warning",
        state="firing",
        message="cost of 1d is 600 USD, above 500",
        threshold=500.0,
        actual=600.0,
        created_us=NOW_US,
        fired_us=NOW_US,
        changed_us=NOW_US,
        revision=1,
    )
    return dataclasses.replace(alert, **changes)


def made_channels(**tables: dict[str, Any]) -> dict[str, Channel]:
    """Return channels that only stand there, with these keys of their tables."""
    return channels_from({name: {"type": "dashboard", **it} for name, it in tables.items()}, "here")


class World:
    """Alerts that come and go, and what each channel was told of them."""

    def __init__(self, where: dict[str, Channel] | None = None, **settings: Any) -> None:
        self.channels = made_channels(ops={}) if where is None else where
        self.settings = msgspec.convert(settings, NotificationSettings)
        self.alerts = dict[str, Alert]()
        self.told = dict[tuple[str, str], Told]()
        self.health = dict[str, Health]()
        self.notices = list[Notice]()
        self.acknowledging = frozenset[str]()
        self.now_us = NOW_US

    def fire(self, name: str, **changes: Any) -> None:
        self.alerts[name] = made_alert(
            name, **{"created_us": self.now_us, "fired_us": self.now_us, **changes}
        )

    def change(self, name: str, **changes: Any) -> None:
        self.alerts[name] = dataclasses.replace(self.alerts[name], **changes)

    def resolve(self, name: str) -> None:
        self.change(name, state="resolved", resolved_us=self.now_us, resolved_by="rule")

    def decisions(self) -> list[Decision]:
        return decide(
            Situation(
                alerts=list(self.alerts.values()),
                told=self.told,
                health=self.health,
                channels=self.channels,
                settings=self.settings,
                acknowledging=self.acknowledging,
                notices=self.notices,
                now_us=self.now_us,
            )
        )

    def heard(self, seconds: float = 0) -> list[str]:
        """Let time pass, and say who hears what: `ops first: a b, over: c`."""
        self.now_us += round(seconds * SECOND_US)
        said = []
        for one in self.decisions():
            before = self.told.get(
                (one.channel, one.topic), Told(channel=one.channel, topic=one.topic)
            )
            if one.act != "hold":
                sent_us = self.now_us if one.act == "tell" else None
                self.told[one.channel, one.topic] = known_after(before, one, sent_us)
            if one.act == "tell":
                said.append(_said(one))
        return said

    def held(self) -> list[tuple[str, str, float]]:
        """Return who waits for what, and for how many seconds."""
        return [
            (one.channel, one.reason, (one.due_us - self.now_us) / SECOND_US)
            for one in self.decisions()
            if one.act == "hold"
        ]


def _said(one: Decision) -> str:
    parts = [" ".join(sorted(alert.alert_id for alert in one.firing))]
    over = [*(alert.alert_id for alert in one.resolved), *one.gone]
    parts += [f"over: {' '.join(sorted(over))}"] if over else []
    return f"{one.channel} {one.reason}: {', '.join(part for part in parts if part)}".rstrip(": ")
