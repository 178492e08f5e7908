"""The dashboards and rules: Grafana can import them, promtool takes them, and every metric and
label in them is one that we expose.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from contextframe_monitoring.export.prometheus import PrometheusExposition
from examples.grafana.panels import COLUMNS, LEAST
from examples.grafana.rules import ALERTS, JOB, RECORDED
from tests.export.boards import (
    BOARDS,
    BUILT_IN,
    FOLDER,
    RULES,
    expressions,
    panels,
    promtool,
    variables,
)
from tests.export.everything import fill
from tests.export.promql import spoken
from tests.export.stores import Filled

UNITS = {"short", "reqps", "ops", "s", "percentunit", "currencyUSD", "bytes", "Bps"}
"""Of Grafana's ids of units those that we use."""
TARGET_LABELS = {"instance", "job"}
"""What Prometheus adds to every series."""
FROM_PROMETHEUS = {
    "up": TARGET_LABELS,
    "scrape_duration_seconds": TARGET_LABELS,
    "scrape_samples_scraped": TARGET_LABELS,
    "ALERTS": {"alertname", "alertstate", "severity", "instance"},
}
every_board = pytest.mark.parametrize("name", BOARDS)


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Every metric that there can be -> its labels."""
    store = fill(Filled(tmp_path_factory.mktemp("everything"))).store
    text = PrometheusExposition(store).text()
    found: dict[str, set[str]] = dict(FROM_PROMETHEUS)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set(TARGET_LABELS)).update(sample.labels)
    for name, expression in RECORDED.items():
        found[name] = set(spoken(expression).grouped) - {"le"}
    return found


def faults(expression: str, legend: str, exposed: Mapping[str, set[str]]) -> list[str]:
    said = spoken(expression)
    known = {**exposed, "": set().union(*exposed.values(), {"__name__"})}
    found = [f"no metric {name}" for name in said.metrics if name not in known]
    if found:
        return found
    for name, labels in said.metrics.items():
        found += [f"{name} has no label {label}" for label in labels - known[name]]
    there = set().union(*(known[name] for name in said.metrics))
    wanted = said.grouped | set(re.findall(r"\{\{(\w+)\}\}", legend))
    return found + [f"nothing has the label {label}" for label in sorted(wanted - there)]


@pytest.mark.requirement("export:grafana:checked")
@every_board
def test_every_metric_and_label_of_a_panel_is_exposed(
    name: str, exposed: Mapping[str, set[str]]
) -> None:
    found = [
        f"{title}: {fault}"
        for title, legend, expression in expressions(BOARDS[name])
        for fault in faults(expression, legend, exposed)
    ]
    assert not found, "\n".join(found)


def test_every_metric_and_label_of_a_rule_is_exposed(exposed: Mapping[str, set[str]]) -> None:
    rules = {**RECORDED, **{alert.name: alert.value for alert in ALERTS}}
    found = [
        f"{name}: {fault}"
        for name, expression in rules.items()
        for fault in faults(expression, "", exposed)
    ]
    assert not found, "\n".join(found)


def test_what_is_not_exposed_is_found(exposed: Mapping[str, set[str]]) -> None:
    wrong = 'sum by (agent) (nothing{a="b"}) + up{server="git"}'
    assert faults(wrong, "", exposed) == ["no metric nothing"]
    assert faults('sum by (agent) (up{server="git"})', "{{tool}}", exposed) == [
        "up has no label server",
        *(f"nothing has the label {label}" for label in ("agent", "tool")),
    ]


@pytest.mark.requirement("export:grafana:checked")
def test_promtool_takes_every_expression_and_rule(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:number:{number}", "expr": expression}
        for number, (_, _, expression) in enumerate(
            itertools.chain.from_iterable(map(expressions, BOARDS.values()))
        )
    ]
    file = tmp_path / "panels.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(file))
    said = promtool("check", "config", str(FOLDER / "prometheus" / "prometheus.yml"))
    bounds = sum(len(list(alert.severities())) for alert in ALERTS)
    assert f"SUCCESS: {len(RECORDED)} rules found" in said
    assert f"SUCCESS: {bounds} rules found" in said


def test_the_scrape_configuration_has_the_job_that_the_rules_know() -> None:
    config = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert [one["job_name"] for one in config["scrape_configs"]] == [JOB]


def test_grafana_is_told_where_data_and_dashboards_are() -> None:
    folder = FOLDER / "provisioning"
    found = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*/*.yml"))]
    [[provider], [source]] = [one.get("providers") or one["datasources"] for one in found]
    assert (provider["type"], provider["options"]) == (
        "file",
        {"path": "$CONTEXTFRAME_DASHBOARDS"},
    )
    assert (source["type"], source["url"]) == ("prometheus", "$PROMETHEUS_URL")


@pytest.mark.requirement("004:graf:thresholds")
def test_an_alert_comes_at_the_lines_that_its_panel_shows() -> None:
    shown = {panel["title"]: panel for panel in panels(BOARDS["alerts"])}
    [group] = yaml.safe_load((RULES / "alerting.yml").read_text("utf-8"))["groups"]
    for alert in ALERTS:
        steps = shown[alert.name]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        [target] = shown[alert.name]["targets"]
        rules = [rule["expr"] for rule in group["rules"] if rule["alert"] == alert.name]
        lines = [0 if step["value"] == LEAST else step["value"] for step in steps[1:]]
        assert rules == [f"{target['expr']} > {line:g}" for line in lines]


@pytest.mark.requirement("004:graf:thresholds")
def test_alerts_fire_above_their_limits_and_not_before() -> None:
    scenario = Path(__file__).parent / "grafana_rules.yml"
    assert "SUCCESS" in promtool("test", "rules", str(scenario))


@pytest.mark.requirement(
    "004:graf:overview", "004:graf:service-detail", "004:graf:history", "004:graf:business"
)
@pytest.mark.requirement("export:grafana:dashboards")
def test_there_is_a_dashboard_for_every_purpose() -> None:
    assert {name: board["title"] for name, board in BOARDS.items()} == {
        "overview": "ContextFrame / Overview",
        "servers": "ContextFrame / Servers and tools",
        "costs": "ContextFrame / Costs",
        "alerts": "ContextFrame / Alerts",
        "events": "ContextFrame / Business events",
        "comparison": "ContextFrame / Period comparison",
        "monitor": "ContextFrame / The monitor itself",
    }
    uids = [board["uid"] for board in BOARDS.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid) for uid in uids)


@every_board
def test_panels_have_places_and_numbers_of_their_own(name: str) -> None:
    every = BOARDS[name]["panels"]
    assert [panel["id"] for panel in every] == list(range(1, len(every) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken
        taken |= cells


@every_board
def test_every_panel_says_what_it_shows(name: str) -> None:
    titles = [panel["title"] for panel in panels(BOARDS[name])]
    for panel in panels(BOARDS[name]):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"]
        assert panel["description"]
        assert defaults["unit"] in UNITS
        limits = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert limits[0] is None
        assert limits[1:] == sorted(set(limits[1:]))
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))
        assert panel["type"] == "stat" or all(t["legendFormat"] for t in panel["targets"])
    assert all(titles)


@every_board
def test_every_query_goes_to_the_chosen_data_source_and_uses_known_variables(name: str) -> None:
    board = BOARDS[name]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    first, *others = variables(board).values()
    assert (first["name"], first["type"], first["query"]) == ("datasource",) * 2 + ("prometheus",)
    used = set()
    for one in [*panels(board), *others]:
        assert one.get("datasource", chosen) == chosen
        for target in one.get("targets", ()):
            assert target["datasource"] == chosen
            used |= set(re.findall(r"\$(\w+)", target["expr"]))
        if one.get("type") == "query":
            used |= set(re.findall(r"\$(\w+)", one["query"]["query"]))
    assert used - set(BUILT_IN) == {one["name"] for one in others}


@every_board
def test_variables_find_labels_that_are_exposed(name: str, exposed: Mapping[str, set[str]]) -> None:
    for one in variables(BOARDS[name]).values():
        if one["type"] == "query":
            query, label = label_values(one)
            assert faults(query, f"{{{{{label}}}}}", exposed) == []


def label_values(variable: dict[str, Any]) -> tuple[str, str]:
    """Return selector and label of a variable's query."""
    found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
    assert found is not None
    return found[1], found[2]
