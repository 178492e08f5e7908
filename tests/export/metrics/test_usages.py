"""Uses, events and custom metrics as metrics."""

from __future__ import annotations

import pytest

from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.export.metrics.customs import CUSTOM_MAX
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals
from tests.export.metrics.families import only, totals
from tests.export.stores import GIT, NOW_US, Filled, event, metric, use


def test_uses_are_counted_and_queries_timed_by_type_and_outcome(filled: Filled) -> None:
    query = {"metric_type": "query", "operation": "vector", "outcome": "success"}
    filled.drain(use(), use(), use(**query, duration_ms=4.0))
    document = "server=git metric_type=document_access operation=read category=docs"
    vector = "server=git metric_type=query operation=vector category=docs outcome=success"
    assert totals(filled, "usage") == {
        "contextframe_monitoring.usage": {document: 2, vector: 1},
        "contextframe_monitoring.usage.duration s": {vector: 0.004},
    }


def test_events_have_counts_durations_and_numbers(filled: Filled) -> None:
    filled.drain(
        event(),
        event(numbers={"quality": 0.5, "delta": -2.0}, duration_ms=None),
        event(numbers={"quality": float("nan")}),
    )
    who, chosen = "server=git event=summary", "category=template outcome=ok"
    assert totals(filled, "usage") == {
        "contextframe_monitoring.events": {f"{who} {chosen}": 3},
        "contextframe_monitoring.event.duration s": {f"{who} {chosen}": 0.006},
        "contextframe_monitoring.event.number": {
            f"{who} number=quality": 1.25,
            f"{who} number=delta": 0,
        },
        "contextframe_monitoring.event.number.negative": {f"{who} number=delta": 2.0},
    }
    family = only(filled, "usage", "contextframe_monitoring.event.number")
    assert [point.counts for point in family.points] == [(2,), (0,)]


def test_only_attributes_on_the_list_become_labels(filled: Filled) -> None:
    filled.drain(event(), metric(attributes=("region=eu", "session=1", "region2=x")))
    found = totals(filled, "usage", attribute_keys=("region", "zone"))
    assert found["contextframe_monitoring.events"] == {
        "server=git event=summary category=template outcome=ok region=eu": 1
    }
    assert found["queue.depth"] == {"server=git region=eu": 7}


def test_labels_of_attributes_never_collide() -> None:
    keys = ("server", "le", "a-b", "a.b", "__name__", "", "région")
    assert Limits(attribute_keys=keys).attribute_labels == (
        "attribute_server", "attribute_le", "a_b", "attribute_a_b", "__name__",
        "attribute_", "r_gion",
    )  # fmt: skip


@pytest.mark.requirement("002:perf:custom-read-back")
def test_a_gauge_is_its_newest_value_whatever_the_order(filled: Filled) -> None:
    filled.drain(metric(value=2.0, time_us=NOW_US + 5), metric(value=1.0))
    filled.drain(metric(value=3.0, time_us=NOW_US + 1))
    assert totals(filled, "usage") == {"queue.depth": {"server=git": 2.0}}


def test_a_counter_adds_up_exactly_and_keeps_negative_amounts_apart(filled: Filled) -> None:
    filled.drain(*(metric(name="orders", kind="counter", value=v) for v in (0.1, 0.2, 0.3, -1.5)))
    assert totals(filled, "usage") == {
        "orders": {"server=git": 0.6},
        "orders.negative": {"server=git": 1.5},
    }


def test_a_histogram_has_buckets_that_fit_its_unit(filled: Filled) -> None:
    filled.drain(
        metric(name="wait", kind="histogram", unit="s", value=0.01),
        metric(name="size", kind="histogram", unit="By", value=5.0),
        metric(name="size", kind="histogram", unit="By", value=-5.0),
    )
    wait, size = only(filled, "usage", "wait"), only(filled, "usage", "size")
    assert (wait.bounds[0], wait.points[0].counts[0]) == (0.01, 1)
    assert (size.unit, size.bounds[:3], size.points[0].counts[:3]) == ("By", (0, 5, 10), (0, 1, 0))
    assert only(filled, "usage", "size.negative").points[0].value == 5


def test_one_name_with_two_kinds_or_units_is_two_families(filled: Filled) -> None:
    filled.drain(metric(name="x"), metric(name="x", kind="counter"), metric(name="x", unit="s"))
    families = Totals(filled.store, Limits(), subject="usage").families(NOW_US)
    assert sorted((f.name, f.kind, f.unit) for f in families) == [
        ("x", "counter", ""), ("x", "gauge", ""), ("x", "gauge", "s"),
    ]  # fmt: skip


def test_custom_metrics_beyond_the_bound_are_counted(filled: Filled) -> None:
    filled.drain(*(metric(name=f"m{n}") for n in range(CUSTOM_MAX + 50)))
    found = totals(filled, "usage")
    assert len(found) == CUSTOM_MAX + 1
    assert found["contextframe_monitoring.custom.left_out"] == {"": 50}


@pytest.mark.parametrize(
    "name", ["mcp.server.operation.duration", "MCP_x", "gen_ai.x", "_contextframe_monitoring.y"]
)
def test_a_custom_metric_never_takes_a_name_of_ours(filled: Filled, name: str) -> None:
    filled.drain(metric(name=name))
    assert list(totals(filled, "usage")) == [f"custom.{name}"]


def test_a_value_that_is_no_number_is_left_out(filled: Filled) -> None:
    filled.drain(metric(value=float("nan")), metric(value=float("inf"), origin=Origin()))
    assert totals(filled, "usage") == {}
    filled.drain(metric(value=1.0, origin=GIT))
    assert totals(filled, "usage") == {"queue.depth": {"server=git": 1.0}}
