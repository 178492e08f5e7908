"""Our alert rules as Prometheus alerting rules over the metrics that `/metrics` serves.

A rule is exported only where PromQL can say the same: the others stand there as comments with the
reason. What remains different lies in Prometheus: increases are extrapolated to the window, and
percentiles come from buckets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.signals import SIGNALS
from contextframe_monitoring.export.exposition import number
from contextframe_monitoring.export.metrics.operations import SECONDS_BOUNDS

_SELECTED = Mapping[str, str]
_BASELINE = "7d"
_BASELINE_SECONDS = 7 * 86_400
_NO_REQUEST = 'mcp_method_name!~"notifications/.*|subscriptions/listen"'
_ENDED = 'status=~"success|error|timeout"'
_FAILED = 'status=~"error|timeout"'
_OPERATIONS = "contextframe_monitoring_operations_total"
_DURATIONS = "(mcp_server|contextframe_monitoring)_operation_duration_seconds"
_USES = '{__name__=~"contextframe_monitoring_(usage|events)_total"'
_COST = "contextframe_monitoring_cost_usd_total"
_COST_NEGATIVE = "contextframe_monitoring_cost_negative_usd_total"

_LABELS: Mapping[str, Mapping[str, str]] = {
    "operations": {"server": "server", "method": "mcp_method_name", "direction": "direction"},
    "durations": {
        "server": "server", "method": "mcp_method_name", "tool": "gen_ai_tool_name",
        "target": "gen_ai_tool_name",
    },
    "cost": {"provider": "provider", "model": "model", "cost_type": "cost_type",
             "type": "cost_type"},
    "usage": {
        "server": "server", "metric_type": "metric_type", "type": "metric_type",
        "operation": "operation", "category": "category", "outcome": "outcome",
        "status": "outcome", "event": "event",
    },
    "own": {},
}  # fmt: skip
"""Dimension of ours -> label of the metrics, by family of metrics."""
_FAMILY = {
    "latency": "durations", "slow_count": "durations", "error_rate": "operations",
    "error_count": "operations", "api_failures": "operations", "throughput": "operations",
    "cost": "cost", "cost_rate": "cost", "usage_count": "usage", "category_share": "usage",
    "records_lost": "own", "drain_lag": "own", "export_failures": "own", "no_data": "operations",
}  # fmt: skip


class _UnequalError(Exception):
    """The rule can't be said in PromQL; the message says why."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an expression is built for: a range, and how far back it lies."""

    rule: Rule
    labels: Mapping[str, str]
    window: str
    seconds: float
    offset: str = ""

    def where(self, *more: str, **extra: str) -> str:
        """Return label matchers, those of the filter among them."""
        chosen = {**self.rule.filter, **extra}
        own = [f"{self.label(key)}={json.dumps(value)}" for key, value in chosen.items()]
        return ",".join([*more, *own])

    def label(self, key: str) -> str:
        found = self.labels.get(key)
        if found is None:
            raise _UnequalError(f"no metric has the label {key!r}")
        return found

    @property
    def by(self) -> str:
        keys = [self.label(key) for key in self.rule.group_by]
        return f" by ({', '.join(keys)})" if keys else ""

    def total(self, selector: str, function: str = "increase", le: bool = False) -> str:
        """Return the sum of a function of a selector over the range."""
        by = self.by
        if le:
            by = f"{by[:-1]}, le)" if by else " by (le)"
        return f"sum{by} ({function}({selector}[{self.window}]{self.offset}))"


def alerting_rules(rules: Sequence[Rule], slow_ms: float = 1000.0) -> str:
    """Return a rule file of Prometheus (YAML) with every rule that can be said in PromQL."""
    lines = ["groups:", "- name: contextframe-monitoring", "  rules:"]
    refused = []
    count = 0
    for rule in rules:
        try:
            lines += _block(rule, slow_ms)
            count += 1
        except _UnequalError as why:
            refused.append(f"# {rule.name} is not exported: {why}")
    if not count:
        lines[-1] += " []"
    return "\n".join([*refused, *lines, ""])


def _block(rule: Rule, slow_ms: float) -> list[str]:
    expression = _expression(rule, slow_ms)
    name = re.sub(r"[^A-Za-z0-9_]", "_", rule.name)
    lines = [f"  - alert: {json.dumps(name)}", f"    expr: {json.dumps(expression)}"]
    if rule.for_us:
        lines.append(f"    for: {rule.for_}")
    if rule.keep_firing_for_us:
        lines.append(f"    keep_firing_for: {rule.keep_firing_for}")
    labels = {**{_plain(key): text for key, text in rule.labels.items()}, "severity": rule.severity}
    lines.append("    labels:")
    lines += [f"      {key}: {json.dumps(text)}" for key, text in labels.items()]
    if rule.annotations:
        lines.append("    annotations:")
        lines += [
            f"      {_plain(key)}: {json.dumps(_template(rule, text))}"
            for key, text in rule.annotations.items()
        ]
    return lines


def _plain(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if re.match("[A-Za-z_]", plain) else f"_{plain}"


def _template(rule: Rule, text: str) -> str:
    labels = _LABELS[_FAMILY[rule.signal]]
    fixed = {
        "rule": rule.name, "signal": rule.signal, "severity": rule.severity, "unit": rule.unit,
        "window": rule.window, "threshold": f"{rule.bound:g} {rule.unit}",
        "value": "{{ $value }}" + f" {rule.unit}",
        **{f"labels.{key}": value for key, value in rule.labels.items()},
        **{f"group.{key}": f"{{{{ $labels.{labels[key]} }}}}" for key in rule.group_by},
    }  # fmt: skip
    return re.sub(r"\{([^{}]+)\}", lambda found: fixed.get(found[1], ""), text)


def _expression(rule: Rule, slow_ms: float) -> str:
    family = _FAMILY.get(rule.signal)
    if family is None:
        raise _UnequalError(f"signal {rule.signal!r} has no metric")
    if rule.window_us is None:
        raise _UnequalError(f"window {rule.window!r} is a calendar period")
    if rule.recovery_threshold is not None:
        raise _UnequalError("PromQL has no recovery threshold")
    if rule.status_codes or rule.error_types:
        raise _UnequalError("no metric has status codes or error types by status")
    seconds = rule.window_us / US_PER_SECOND
    asked = _Asked(rule, _LABELS[family], rule.window, seconds)
    value = _EXPRESSIONS[rule.signal]
    sign = ">" if rule.direction == "above" else "<"
    threshold = SIGNALS[rule.signal].threshold if rule.threshold is None else rule.threshold
    bound = f"{threshold or 0.0:.12g}"
    factor = 1 + (rule.bound if sign == ">" else -rule.bound)
    if rule.relative_to == "target":
        bound = f"{(rule.target or 0.0) * factor:.12g}"
    elif rule.relative_to is not None:
        is_baseline = rule.relative_to == "baseline"
        past = _Asked(
            rule,
            asked.labels,
            _BASELINE if is_baseline else rule.window,
            _BASELINE_SECONDS if is_baseline else seconds,
            f" offset {rule.window}",
        )
        if is_baseline and SIGNALS[rule.signal].adds_up:
            factor *= seconds / _BASELINE_SECONDS
        reference = value(past, slow_ms)
        bound = f"{factor:.12g} * (({reference}) != 0)"
    whole = f"({value(asked, slow_ms)}) {sign} {bound}"
    if rule.count_min > 1:
        whole += f" and {_judged(asked, family)} >= {rule.count_min}"
    return whole


def _judged(asked: _Asked, family: str) -> str:
    if family == "operations":
        return asked.total(f"{_OPERATIONS}{{{asked.where(_ENDED, *_requests(asked))}}}")
    if family == "durations":
        return asked.total(_durations(asked, "count"))
    return asked.total(f"{_USES},{asked.where()}}}")


def _requests(asked: _Asked) -> list[str]:
    """Return what leaves out all but requests that came in, unless the rule asks for them."""
    return [_NO_REQUEST] if "direction" in asked.rule.filter else ['direction="in"', _NO_REQUEST]


def _operations(asked: _Asked, *status: str, function: str = "increase") -> str:
    where = asked.where(*status, *_requests(asked))
    return asked.total(f"{_OPERATIONS}{{{where}}}", function)


def _durations(asked: _Asked, part: str, *more: str) -> str:
    name = f'__name__=~"{_DURATIONS}_{part}"'
    return f"{{{asked.where(name, _NO_REQUEST, *more)}}}"


def _cost(asked: _Asked, function: str = "increase") -> str:
    """Return cost less what was corrected downwards, which counts up in a twin."""
    where = asked.where()
    cost = asked.total(f"{_COST}{{{where}}}", function)
    corrected = asked.total(f"{_COST_NEGATIVE}{{{where}}}", function)
    return f"{cost} - ({corrected} or {cost} * 0)"


def _latency(asked: _Asked, slow_ms: float) -> str:
    del slow_ms
    statistic = asked.rule.statistic or "p95"
    if statistic == "mean":
        sums = asked.total(_durations(asked, "sum"), "rate")
        return f"1000 * {sums} / {asked.total(_durations(asked, 'count'), 'rate')}"
    if not statistic.startswith("p"):
        raise _UnequalError(f"buckets don't know the {statistic}")
    buckets = asked.total(_durations(asked, "bucket"), "rate", le=True)
    return f"1000 * histogram_quantile({int(statistic[1:]) / 100:g}, {buckets})"


def _slow(asked: _Asked, slow_ms: float) -> str:
    bound = (asked.rule.slower_than_ms or slow_ms) / 1000
    if bound not in SECONDS_BOUNDS:
        known = ", ".join(f"{bound:g}" for bound in SECONDS_BOUNDS)
        raise _UnequalError(f"no bucket ends at {bound:g} s: {known}")
    quick = asked.total(_durations(asked, "bucket", f'le="{number(float(bound))}"'))
    return f"{asked.total(_durations(asked, 'count'))} - {quick}"


def _share(asked: _Asked, slow_ms: float) -> str:
    del slow_ms
    part = asked.total(f"{_USES},{asked.where(**asked.rule.share_of)}}}")
    return f"{part} / {_uses(asked)}"


def _uses(asked: _Asked) -> str:
    return asked.total(f"{_USES},{asked.where()}}}")


def _no_data(asked: _Asked, slow_ms: float) -> str:
    del slow_ms
    if asked.rule.group_by or asked.rule.series not in {None, "latency", "error_rate"}:
        raise _UnequalError("no metric says which groups there should be")
    return f"{_operations(asked)} or vector(0)"


_EXPRESSIONS: Mapping[str, Callable[[_Asked, float], str]] = {
    "cost": lambda asked, _: _cost(asked),
    "cost_rate": lambda asked, _: f"3600 * ({_cost(asked, 'rate')})",
    "error_rate": lambda asked, _: f"{_operations(asked, _FAILED)} / {_operations(asked, _ENDED)}",
    "error_count": lambda asked, _: _operations(asked, _FAILED),
    "api_failures": lambda asked, _: _operations(asked, _FAILED),
    "latency": _latency,
    "slow_count": _slow,
    "throughput": lambda asked, _: _operations(asked, function="rate"),
    "usage_count": lambda asked, _: _uses(asked),
    "category_share": _share,
    "no_data": _no_data,
    "records_lost": lambda asked, _: asked.total("contextframe_monitoring_lost_total"),
    "drain_lag": lambda *_: "contextframe_monitoring_drain_lag_seconds",
    "export_failures": lambda *_: "contextframe_monitoring_export_failures",
}
