"""Checks whose findings depend on the time, or on what is installed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.query.checkup.patient import Patient, examined
from contextframe_monitoring.query.checkup.prices import CHECKED_DAYS_MAX, check_prices
from contextframe_monitoring.query.checkup.versions import check_versions, fits
from contextframe_monitoring.store.catalogue import Catalogue, microseconds
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US


def patient(tmp_path: Path, now_us: int = 0) -> Patient:
    return Patient(store=Store(str(tmp_path / "s")), config=MonitoringConfig(), now_us=now_us)


@pytest.mark.requirement("doors:doctor:prices")
def test_prices_grow_old(tmp_path: Path) -> None:
    checked = Catalogue().checked()
    assert checked is not None
    day_us = microseconds(dt.datetime.combine(checked, dt.time(), dt.UTC))
    fresh = list(check_prices(patient(tmp_path, day_us + CHECKED_DAYS_MAX * DAY_US)))
    assert [type(note) for note in fresh] == [Fact]
    old = list(check_prices(patient(tmp_path, day_us + (CHECKED_DAYS_MAX + 1) * DAY_US)))
    assert isinstance(old[-1], Symptom)
    assert old[-1].problem == "the prices were last checked 181 days ago"


@pytest.mark.parametrize(
    ("version", "requirement", "does"),
    [
        ("2.3.0", "mcp<3,>=2.3", True),
        ("2.2.9", "mcp<3,>=2.3", False),
        ("3.0", "mcp<3,>=2.3", False),
        ("3.0.0rc1", "mcp<3,>=2.3", False),
        ("14.0.2", "pylance[x]>=14.0,<15", True),
        ("1.0", "p==1.0.0", True),
        ("1.0", "p!=1.0.0", False),
        ("2026.1", "tzdata>=2026.1", True),
        ("1.0", "p", True),
    ],
)
def test_a_version_fits_a_requirement_by_its_numbers(
    version: str, requirement: str, does: bool
) -> None:
    assert fits(version, requirement) is does


@pytest.mark.requirement("doors:doctor:versions")
def test_what_is_installed_is_what_is_wanted(tmp_path: Path) -> None:
    (fact,) = check_versions(patient(tmp_path))
    assert isinstance(fact, Fact)
    assert "pyarrow " in fact.says


def test_a_check_that_fails_is_a_finding_and_keeps_what_it_found(tmp_path: Path) -> None:
    def failing(error: Exception) -> list[Fact | Symptom]:
        def check(_patient: Patient) -> Iterator[Fact]:
            yield Fact(check="c", says="fine")
            raise error

        return list(examined("c", check, patient(tmp_path)))

    full = StoreError("s", "it is full", "free space")
    assert [*failing(full), *failing(OSError(5, "broken"))] == [
        Fact(check="c", says="fine"),
        Symptom(
            check="c",
            severity="critical",
            problem="it is full",
            remedy="free space",
        ),
        Fact(check="c", says="fine"),
        Symptom(
            check="c",
            severity="critical",
            problem="it can't be looked at (OSError: [Errno 5] broken)",
            remedy="report this with its text",
        ),
    ]
