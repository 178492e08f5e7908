"""Pages of the book of alerts, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.alert import SEVERITIES, Alert
from contextframe_monitoring.store.alert_pages import AlertPages, Filter
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

STATES: Any = ("pending", "firing", "resolved")
RULES = ("a", "b")


def alert(number: int, rule: str, severity: Any, state: Any) -> Alert:
    return Alert(
        alert_id=f"a-{number}",
        rule=rule,
        signal="cost",
        severity=severity,
        state=state,
        message="m",
        threshold=1.0,
        actual=2.0,
        created_us=number,
        changed_us=number,
        revision=0,
    )


def test_a_store_without_alerts_has_none(tmp_path: Path) -> None:
    pages = AlertPages(Store(str(tmp_path / "store")))
    assert pages.revision() == 0
    assert pages.changed(0, 10) == []
    assert pages.page(Filter(states=("firing",)), 10) == ([], 0)
    assert pages.firing() == {}
    assert not (tmp_path / "store").exists()


def test_what_changed_is_named_once_and_pending_is_no_news(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    book, pages = AlertState.made(store).book, AlertPages(store)
    book.put([alert(1, "a", "info", "firing"), alert(2, "a", "info", "pending")])
    book.put([alert(3, "a", "info", "firing"), alert(1, "a", "info", "resolved")])
    assert (pages.revision(), pages.changed(0, 10)) == (4, ["a-1", "a-3"])
    assert pages.changed(3, 10) == ["a-1"]
    assert pages.changed(0, 1) == ["a-1"]
    assert pages.changed(4, 10) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
        st.tuples(st.sampled_from(RULES), st.sampled_from(SEVERITIES), st.sampled_from(STATES)),
        min_size=1,
        max_size=30,
    ),
    states=st.lists(st.sampled_from(STATES), min_size=1, unique=True),
    severities=st.none() | st.lists(st.sampled_from(SEVERITIES), min_size=1, unique=True),
    rule=st.none() | st.sampled_from(RULES),
    limit=st.integers(1, 7),
)
def test_pages_one_after_another_are_the_whole_list(
    tmp_path_factory: Any, made: Any, states: Any, severities: Any, rule: Any, limit: int
) -> None:
    store = Store(str(tmp_path_factory.mktemp("pages") / "store"))
    book, pages = AlertState.made(store).book, AlertPages(store)
    written = book.put([alert(number, *one) for number, one in enumerate(made)])
    wanted = [
        one
        for one in reversed(written)
        if one.state in states
        and (severities is None or one.severity in severities)
        and (rule is None or one.rule == rule)
    ]
    found: list[Alert] = []
    up_to, more = pages.revision(), 1
    while more:
        asked = Filter(states=tuple(states), severities=severities, rule=rule, up_to=up_to)
        page, more = pages.page(asked, limit)
        found += page
        assert more == len(wanted) - len(found)
        up_to = page[-1].revision - 1 if page else up_to
    assert found == wanted
    assert pages.firing() == _counted(one for one in written if one.state == "firing")


def _counted(alerts: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in alerts:
        counts[one.severity] = counts.get(one.severity, 0) + 1
    return counts


def test_a_book_of_an_older_version_gets_its_indexes(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    AlertState.made(store).book.put([alert(1, "a", "info", "firing")])
    engine = store.engine
    assert engine is not None
    with engine.begin() as connection:
        for name in ("alerts_by_severity", "alerts_by_rule"):
            connection.execute(sa.text(f"DROP INDEX IF EXISTS {name}"))
    assert _indexes(engine) == ["alerts_by_state"]
    assert AlertPages(store).revision() == 1
    assert _indexes(engine) == ["alerts_by_rule", "alerts_by_severity", "alerts_by_state"]


def _indexes(engine: sa.Engine) -> Sequence[str | None]:
    return sorted(str(found["name"]) for found in sa.inspect(engine).get_indexes("alerts"))
