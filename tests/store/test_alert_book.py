"""The book of alerts: written whole, found by what they are, in the order of their changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US


@pytest.fixture
def book(tmp_path: Path) -> AlertBook:
    return AlertBook(Store(str(tmp_path / "store")).create())


def alert(name: str, **changes: object) -> Alert:
    made = Alert(
        alert_id=name,
        rule="HighDailyCost",
        signal="cost",
        group={"provider": "anthropic"},
        severity="warning",
        state="firing",
        message="cost of 1d is 600 USD, above 500",
        threshold=500.0,
        actual=600.0,
        created_us=NOW_US,
        changed_us=NOW_US,
        revision=0,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_an_alert_is_read_as_it_was_written(book: AlertBook) -> None:
    assert book.revision() == 0
    (written,) = book.put([alert("a")])
    assert written == alert("a", revision=1)
    assert book.get("a") == written
    assert book.get("b") is None
    assert book.put([]) == []


def test_a_change_is_one_more_revision_of_the_same_alert(book: AlertBook) -> None:
    book.put([alert("a"), alert("b")])
    book.put([alert("a", state="resolved", resolved_us=NOW_US + 1)])
    assert book.revision() == 3
    assert [one.alert_id for one in book.find()] == ["b"]
    both = book.find(states=["firing", "resolved"])
    assert [(one.alert_id, one.revision) for one in both] == [("b", 2), ("a", 3)]


def test_alerts_are_found_by_what_they_are(book: AlertBook) -> None:
    book.put([alert("a"), alert("b", severity="critical"), alert("c", rule="Slow")])

    def names(**wanted: object) -> list[str]:
        return [one.alert_id for one in book.find(**wanted)]  # type: ignore[arg-type]

    assert names(severities=["critical"]) == ["b"]
    assert names(rule="Slow") == ["c"]
    assert names(after_revision=1) == ["b", "c"]
    assert names(limit=2) == ["a", "b"]
    assert names(states=["pending"]) == []
