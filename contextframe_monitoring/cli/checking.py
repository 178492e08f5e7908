"""What `doctor` looks at, and how it prints what it found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from contextframe_monitoring.cli.options import console, settings
from contextframe_monitoring.core.checkup import CheckupReport, Fact, Symptom, checkup_report
from contextframe_monitoring.core.config import FILE_VARIABLE, MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError

if TYPE_CHECKING:
    from contextframe_monitoring.store.store import Store

_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}


def checkup(store: str | None, config: str | None) -> CheckupReport:
    """Look at everything; a configuration that is wrong is a finding too."""
    return checkup_report([*_store(store, config), *_clients()])


def _store(store: str | None, config: str | None) -> Iterator[Fact | Symptom]:
    try:
        found = settings(store, config)
    except MonitoringError as error:
        yield Symptom(
            check="configuration",
            severity="critical",
            problem=str(error),
            remedy="correct it: until then nothing is recorded, and the store wasn't looked at",
        )
        return
    file = config or os.environ.get(FILE_VARIABLE)
    yield Fact(check="configuration", says=file or "no file: environment and defaults")
    yield from _examined(found)


def _examined(config: MonitoringConfig) -> Iterator[Fact | Symptom]:
    from contextframe_monitoring.query.checkup.examination import examination
    from contextframe_monitoring.query.checkup.patient import Patient
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    try:
        store = store_of(config)
    except MonitoringError as error:
        yield Symptom(
            check="store", severity="critical", problem=str(error), remedy="name a folder"
        )
        return
    now_us = SystemClock().now_us()
    yield from examination(Patient(store=store, config=config, now_us=now_us))
    yield from _channels(store, config, now_us)


def _channels(store: Store, config: MonitoringConfig, now_us: int) -> Iterator[Fact | Symptom]:
    if not config.channels:
        return
    from contextframe_monitoring.alerts.trial import channel_statuses

    try:
        found = channel_statuses(store, config, os.environ, now_us)
    except MonitoringError:
        return  # what is wrong with the store was said above
    good = [one.name for one in found if one.state in {"working", "untried"}]
    if good:
        yield Fact(check="channels", says=", ".join(good))
    for one in found:
        if one.name not in good:
            yield Symptom(
                check="channels",
                severity="error",
                problem=f"channel {one.name} is {one.state}: {one.problem}",
                remedy=f"correct it, then: contextframe-monitoring alerts test {one.name}",
            )


def _clients() -> Iterator[Fact | Symptom]:
    from contextframe_monitoring.cli.clients.entries import on_path
    from contextframe_monitoring.cli.clients.inspection import inspected
    from contextframe_monitoring.cli.installing import CLIENTS, client_places

    for name, client in CLIENTS.items():
        yield from inspected(name, client.title, client_places(name), on_path)


def print_checkup(report: CheckupReport) -> None:
    """Print what was found: what is well first, then what is wrong, the gravest last."""
    for fact in report.facts:
        console.print(
            f"ok  {fact.check}: {fact.says}", markup=False, highlight=False, soft_wrap=True
        )
    for symptom in reversed(report.findings):
        console.print(
            f"{symptom.severity}  {symptom.check}: {symptom.problem}\n    {symptom.remedy}",
            style=_STYLES[symptom.severity],
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    count = len(report.findings)
    console.print("nothing is wrong" if report.healthy else f"{count} finding(s)", highlight=False)
