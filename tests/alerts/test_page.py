"""Pages of alerts: the same alerts as the list, in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.alerts.listing import AlertQuery, alerts_report
from contextframe_monitoring.alerts.page import first_page, next_page
from contextframe_monitoring.core.alert_cursor import AlertsAfter, encode_cursor
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.store.alert_pages import AlertPages
from tests.alerts.scene import Scene

RULE = {"name": "spend", "signal": "cost", "threshold": 5, "window": "1h", "group_by": ["model"]}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path, RULE)
    for model in ("a", "b", "c"):
        found.spend(9.0, model=model)
    found.pass_minutes(1)
    found.pass_minutes(1)
    return found


@pytest.mark.parametrize("status", ["active", "resolved", "all", "pending"])
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_page_is_what_the_list_shows(scene: Scene, status: str, limit: int) -> None:
    query = AlertQuery(status=status, limit=limit)  # type: ignore[arg-type]
    page = first_page(scene.store, AlertPages(scene.store), query)
    listed = alerts_report(scene.state, query)
    assert page.report.alerts == listed.alerts
    assert page.report.more == listed.more
    assert page.report.active == listed.active == {"warning": 3}
    assert page.report.revision == listed.revision
    assert page.report.evaluated_at == listed.evaluated_at
    assert [(i.incident_id, i.count) for i in page.report.incidents] == [
        (i.incident_id, i.count) for i in listed.incidents if i.count > 1
    ]


def test_cursors_lead_through_all(scene: Scene) -> None:
    pages, query = AlertPages(scene.store), AlertQuery(limit=2)
    first = first_page(scene.store, pages, query)
    assert first.next_cursor is not None
    second = next_page(scene.store, pages, first.next_cursor, query)
    whole = alerts_report(scene.state, AlertQuery()).alerts
    assert (*first.report.alerts, *second.report.alerts) == whole
    assert second.next_cursor is None
    assert first.trimmed(1).report.more == 2


def test_a_forged_cursor_asks_nothing_that_a_query_may_not(scene: Scene) -> None:
    place = AlertsAfter(status="any", severity=None, rule=None, since=0, before=9, revision=9)
    with pytest.raises(InvalidError, match="its question can't be: status = 'any'"):
        next_page(scene.store, AlertPages(scene.store), encode_cursor(place), AlertQuery())
    with pytest.raises(InvalidError, match="type = 'cost' is not allowed"):
        first_page(scene.store, AlertPages(scene.store), AlertQuery(type="cost"))
