"""Panels, and dashboards made of them, as the JSON of Grafana (schema 39: Grafana 11 and newer)."""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from examples.grafana.limits import Limit

SCHEMA_VERSION = 39
COLUMNS = 24
TAG = "contextframe-monitoring"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]
Kind = Literal["stat", "timeseries", "bargauge", "table", "heatmap", "state-timeline"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. Its legend names a series (`{{server}}`), or a column of a table, which
    then may have a unit of its own.
    """

    expression: str
    legend: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: what it shows, in which unit, and from where on that is bad."""

    title: str
    text: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Kind = "timeseries"
    limit: Limit | None = None
    stacked: bool = False
    width: int = 8
    height: int = 8

    def json(self, number: int, x: int, y: int) -> Json:
        """Return the panel at its place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.text,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [
                self._target(letter, query)
                for letter, query in zip(string.ascii_uppercase, self.queries, strict=False)
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": list(self._overrides())},
            "options": _OPTIONS[self.kind],
            "transformations": self._transformations(),
        }

    def _instant(self, expression: str) -> bool:
        """Return whether a single value is wanted: a number over all of the range is asked once."""
        whole = re.search(r"\[\$(__range|period)\]", expression)
        return self.kind in {"bargauge", "table"} or (self.kind == "stat" and whole is not None)

    def _target(self, letter: str, query: Query) -> Json:
        instant = self._instant(query.expression)
        format_ = {"table": "table", "heatmap": "heatmap"}.get(self.kind, "time_series")
        return {
            "refId": letter,
            "datasource": DATASOURCE,
            "expr": query.expression,
            "legendFormat": query.legend,
            "format": format_,
            "instant": instant,
            "range": not instant,
            "exemplar": self.kind == "timeseries" and "_bucket{" in query.expression,
        }

    def _defaults(self) -> Json:
        found: Json = {
            "unit": self.unit,
            "color": {"mode": "thresholds" if self.limit else "palette-classic"},
            "thresholds": {"mode": "absolute", "steps": _steps(self.limit)},
        }
        if self.kind == "timeseries":
            found["color"] = {"mode": "palette-classic"}
            found["custom"] = {
                "axisSoftMin": 0,
                "fillOpacity": 30 if self.stacked else 0,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if self.limit else "off"},
            }
        return found

    def _overrides(self) -> Iterator[Json]:
        if self.kind == "table":
            for query in self.queries:
                yield {
                    "matcher": {"id": "byName", "options": query.legend},
                    "properties": [{"id": "unit", "value": query.unit or self.unit}],
                }

    def _transformations(self) -> list[Json]:
        """Join the columns of a table and call them what the legends say."""
        if self.kind != "table":
            return []
        several = len(self.queries) > 1
        names = {
            f"Value #{letter}" if several else "Value": query.legend
            for letter, query in zip(string.ascii_uppercase, self.queries, strict=False)
        }
        organize = {"excludeByName": {"Time": True}, "renameByName": names}
        return [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organize},
        ]


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader of a dashboard chooses: of values that a query finds, or of given ones."""

    name: str
    label: str
    query: str = ""
    """`label_values(METRIC, LABEL)`"""
    choices: tuple[str, ...] = ()
    """The first one is the default. A single one is a field to write in."""
    text: str = ""
    every: str | None = ".*"
    """What stands for all values; None: those that were found, one by one."""

    def json(self) -> Json:
        """Return the variable."""
        found: Json = {"name": self.name, "label": self.label, "description": self.text, "hide": 0}
        if self.query:
            return found | {
                "type": "query",
                "datasource": DATASOURCE,
                "query": {"query": self.query, "refId": self.name},
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "current": {"text": "All", "value": "$__all"},
                **({"allValue": self.every} if self.every else {}),
            }
        options = [
            {"text": choice, "value": choice, "selected": choice == self.choices[0]}
            for choice in self.choices
        ]
        return found | {
            "type": "custom" if len(options) > 1 else "textbox",
            "query": ",".join(self.choices),
            "options": options,
            "current": {"text": self.choices[0], "value": self.choices[0]},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Rows of panels, under a name that links can use."""

    name: str
    title: str
    text: str
    variables: Sequence[Variable]
    rows: Mapping[str, Sequence[Panel]]
    since: str = "now-6h"

    def json(self) -> Json:
        """Return the dashboard as it is imported."""
        return {
            "uid": f"contextframe-{self.name}",
            "title": f"ContextFrame / {self.title}",
            "description": self.text,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "refresh": "30s",
            "links": [_LINKS],
            "annotations": {"list": []},
            "templating": {"list": [_SOURCE, *(one.json() for one in self.variables)]},
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[Json]:
        """Yield the panels from left to right, row by row; who finds no room begins a new line."""
        number = y = 0
        for title, panels in self.rows.items():
            number += 1
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            yield {
                "id": number, "type": "row", "title": title, "collapsed": False,
                "gridPos": place, "panels": [],
            }  # fmt: skip
            x, y, height = 0, y + 1, 0
            for panel in panels:
                if x + panel.width > COLUMNS:
                    x, y, height = 0, y + height, 0
                number += 1
                yield panel.json(number, x, y)
                x, height = x + panel.width, max(height, panel.height)
            y += height


def stat(
    title: str, text: str, query: str, unit: str = "short", limit: Limit | None = None
) -> Panel:
    """Return a panel with one number."""
    return Panel(
        title=title, text=text, queries=[Query(query)], unit=unit, limit=limit,
        kind="stat", width=4, height=4,
    )  # fmt: skip


def wide(panel: Panel, width: int = 12) -> Panel:
    """Return the panel with another width."""
    return dataclasses.replace(panel, width=width)


def _steps(limit: Limit | None) -> list[Json]:
    steps: list[Json] = [{"color": "green", "value": None}]
    if limit is None:
        return steps
    if limit.warning < limit.critical:
        steps.append({"color": "orange", "value": limit.warning})
    return [*steps, {"color": "red", "value": limit.critical or LEAST}]


LEAST = 1e-9
"""More than nothing: Grafana colours from a step on, it included."""
_REDUCED = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Mapping[Kind, Json] = {
    "stat": {"reduceOptions": _REDUCED, "colorMode": "value", "graphMode": "area"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "bargauge": {"reduceOptions": _REDUCED, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "heatmap": {"calculate": False, "yAxis": {"unit": "s"}, "color": {"scheme": "Oranges"}},
    "state-timeline": {"showValue": "never", "mergeValues": True},
}
_LINKS = {
    "type": "dashboards", "title": "ContextFrame", "tags": [TAG], "asDropdown": True,
    "includeVars": True, "keepTime": True, "icon": "", "tooltip": "", "targetBlank": False,
}  # fmt: skip
_SOURCE = {
    "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
    "refresh": 1, "hide": 0,
}  # fmt: skip
