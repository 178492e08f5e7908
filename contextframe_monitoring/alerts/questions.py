"""What has to be measured for a rule: questions that many rules share, each asked once.

A question is the kind of figures, the window, the filter and the grouping. Rules that differ in
threshold, severity or statistic alone ask the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.rules import GROUP_KEYS_MAX, Rule, wrong
from contextframe_monitoring.core.windows import Window, parse_window
from contextframe_monitoring.query import measures
from contextframe_monitoring.query.dimensions import ATTRIBUTE_PREFIX, key_names, must_occur
from contextframe_monitoring.query.held import Need
from contextframe_monitoring.query.measures import Names, Slice
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

Kind = Literal["operations", "costs", "projected", "counts", "samples", "definitions"]
Answer = Mapping[Names, Any]
"""Figures by group, as `query.measures` gives them."""

BASELINE_DAYS = 7
"""What a baseline is taken over: `baseline_calculation_window_days` of the seed."""
HELD_SECONDS_MAX = 86_400 + 1
"""Rows of longer windows are not held for several questions."""
_HOUR_US = 3_600_000_000
_TABLES: Mapping[str, str] = {"cost": COST, "performance": PERFORMANCE, "usage": USAGE}
_SERIES_TABLES: Mapping[str | None, str] = {
    "cost": COST, "usage_count": USAGE, "metric": USAGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """Figures of one kind over one slice of a table."""

    kind: Kind
    table: str
    cut: Slice
    slow_ms: float = 0.0

    @property
    def need(self) -> Need | None:
        """What it reads, None where that is not known beforehand or too much to be held."""
        window = self.cut.window
        if self.kind == "definitions" or window.seconds > HELD_SECONDS_MAX:
            return None
        return Need(
            table=self.table,
            columns=measures.columns_of(self.table, self.cut),
            start_us=window.start_us,
            end_us=window.end_us,
        )

    def answer(self, source: RowSource) -> Answer:
        """Ask a source. Raises a `MonitoringError`."""
        return _ASK[self.kind](source, self)


_ASK: Mapping[Kind, Callable[[RowSource, Question], Answer]] = {
    "operations": lambda source, q: measures.operations(source, q.cut, q.slow_ms),
    "costs": lambda source, q: measures.costs(source, q.cut),
    "projected": lambda source, q: measures.projected_costs(source, q.cut),
    "counts": lambda source, q: measures.counts(source, q.table, q.cut),
    "samples": lambda source, q: measures.samples(source, q.cut),
    "definitions": lambda source, q: measures.definition_growth(source, q.cut.window),
}
_KINDS: Mapping[str, Kind] = {
    "projected_cost": "projected", "usage_count": "counts", "category_share": "counts",
    "metric": "samples", "definition_tokens": "definitions", "no_data": "counts",
}  # fmt: skip


def table_of_rule(rule: Rule) -> str | None:
    """Return the table that a rule reads, None for the monitor's own figures."""
    if rule.signal in {"no_data", "anomaly"}:
        return _SERIES_TABLES.get(rule.series, PERFORMANCE)
    return _TABLES.get(rule.family)


def check_dimensions(rule: Rule) -> None:
    """Raise `InvalidError` for a key of filter, group_by or share_of that no table has.

    An attribute is written `attribute:NAME`.
    """
    table = table_of_rule(rule)
    for key, names in (
        ("filter", rule.filter), ("group_by", rule.group_by), ("share_of", rule.share_of),
    ):  # fmt: skip
        for name in names:
            is_time = name in {"minute", "hour", "day", "week", "month"}
            if table is not None and (is_time or must_occur(table, name)):
                known = ", ".join(key_names(table)[:-5])
                allowed = f"expected one of {known}, or {ATTRIBUTE_PREFIX}NAME"
                raise wrong(rule.name, key, name, allowed)
    if rule.signal == "definition_tokens" and not {"server", "tool"} >= {*rule.group_by}:
        raise wrong(rule.name, "group_by", ",".join(rule.group_by), "expected server, tool")
    if len(group_keys(rule)) > GROUP_KEYS_MAX + 1:
        allowed = "status_codes and error_types together leave room for two keys"
        raise wrong(rule.name, "group_by", ",".join(rule.group_by), allowed)


def window_of(rule: Rule, now_us: int, timezone: str) -> Window:
    """Return the window of a rule that is evaluated at `now_us`."""
    text = rule.window
    if rule.signal == "budget_used" or (rule.signal == "projected_cost" and rule.window_us):
        text = "month"
    return parse_window(text, None, now_us=now_us, timezone=timezone)


def group_keys(rule: Rule) -> Names:
    """Return what the rows are grouped by: codes and types are told apart to be chosen among."""
    by_code = ("status_code",) if rule.status_codes else ()
    by_type = ("error_type",) if rule.error_types else ()
    return (*rule.group_by, *by_code, *by_type)


def question_of(rule: Rule, window: Window, slow_ms: float) -> Question:
    """Return what has to be asked for a rule over a window."""
    table = table_of_rule(rule)
    if table is None:
        raise InvalidError("signal", rule.signal, "its figures stand in no table")
    where = dict(rule.filter)
    if rule.metric is not None:
        where["metric"] = rule.metric
    by_family: Mapping[str, Kind] = {COST: "costs", PERFORMANCE: "operations", USAGE: "counts"}
    kind = _KINDS.get(rule.signal, by_family[table])
    cut = Slice(window, tuple(sorted(where.items())), group_keys(rule))
    slow = 0.0
    if kind == "operations":
        slow = slow_ms if rule.slower_than_ms is None else rule.slower_than_ms
    return Question(kind, table, cut, slow)


def part_question(rule: Rule, whole: Question) -> Question | None:
    """Return the question for the part of a share, None where a rule asks for none."""
    if not rule.share_of:
        return None
    where = {**dict(whole.cut.where), **rule.share_of}
    return replace(whole, cut=replace(whole.cut, where=tuple(sorted(where.items()))))


def reference_window(rule: Rule, window: Window) -> Window | None:
    """Return the window that a relative rule compares with, None where there is none.

    A baseline is taken over the week before the window. Its end moves by the hour, so that the
    answer can be kept that long.
    """
    if rule.relative_to == "previous":
        return window.previous()
    if rule.relative_to == "baseline":
        end_us = window.start_us // _HOUR_US * _HOUR_US
        start_us = end_us - BASELINE_DAYS * US_PER_DAY
        return Window(start_us, end_us, window.timezone) if start_us > 0 else None
    return None


def expected_window(rule: Rule, window: Window) -> Window | None:
    """Return where the groups were seen that should have data now: on the day before the window."""
    if rule.signal != "no_data" or not rule.group_by:
        return None
    end_us = window.start_us // _HOUR_US * _HOUR_US
    start_us = end_us - US_PER_DAY
    return Window(start_us, end_us, window.timezone) if start_us > 0 else None
