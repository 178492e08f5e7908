"""The value of a rule's signal for each group, out of the figures that were measured."""

from __future__ import annotations

import math
from typing import Any

from contextframe_monitoring.alerts.questions import Answer
from contextframe_monitoring.core.money import NANO_PER_USD
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.signals import SIGNALS
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost_cube import CostSum
from contextframe_monitoring.query.measures import Names
from contextframe_monitoring.query.operations import Summary
from contextframe_monitoring.query.samples import SampleSpread

Values = dict[Names, float | None]
_PERCENTILES = ("p50", "p90", "p95", "p99")


def values_of(
    rule: Rule,
    whole: Answer,
    window: Window,
    *,
    part: Answer | None = None,
    expected: Answer | None = None,
    monthly_nano_usd: int | None = None,
) -> Values:
    """Return the value for each group; None where it is not known."""
    if rule.status_codes or rule.error_types:
        return _chosen_errors(rule, whole)
    if rule.signal == "category_share":
        return _shares(rule, whole, part or {})
    if rule.signal == "no_data":
        places = expected if expected is not None else {(): 0}
        return {names: float(whole.get(names, 0)) for names in places}
    if rule.signal == "budget_used":
        return {names: _used(found, monthly_nano_usd) for names, found in whole.items()}
    if rule.signal == "definition_tokens":
        return _growth(rule, whole)
    return {names: _value(rule, found, window) for names, found in whole.items()}


def scaled(rule: Rule, value: float | None, window: Window, over: Window) -> float | None:
    """Return the value over a longer window as it would be over this one: sums shrink with it."""
    adds_up = SIGNALS[rule.signal].adds_up or (rule.signal, rule.statistic) == ("metric", "sum")
    return value * window.seconds / over.seconds if value is not None and adds_up else value


def _value(rule: Rule, found: Any, window: Window) -> float | None:
    if isinstance(found, Summary):
        return _of_operations(rule, found, window)
    if isinstance(found, CostSum):
        return _of_costs(rule, found, window)
    if isinstance(found, SampleSpread):
        return _of_samples(rule, found, window)
    return float(found)


def _of_operations(rule: Rule, found: Summary, window: Window) -> float | None:
    match rule.signal:
        case "throughput":
            return found.count / window.seconds
        case "slow_count":
            return float(found.slow)
        case "error_count" | "api_failures":
            return float(found.errors)
        case "error_rate":
            return found.error_rate if found.judged >= rule.count_min else None
    return _latency(found, rule.statistic or "p95") if found.count >= rule.count_min else None


def _latency(found: Summary, statistic: str) -> float | None:
    if statistic in _PERCENTILES:
        value = found.quantiles_ms[_PERCENTILES.index(statistic)]
    else:
        value = found.mean_ms if statistic == "mean" else found.max_ms
    return None if math.isnan(value) else value


def _of_costs(rule: Rule, found: CostSum, window: Window) -> float | None:
    if rule.signal == "unknown_cost_share":
        return found.unknown / found.count if found.count >= rule.count_min else None
    known = found.known_nano_usd
    if known is None:
        return None
    cost = known / NANO_PER_USD
    return cost * 3600 / window.seconds if rule.signal == "cost_rate" else cost


def _of_samples(rule: Rule, found: SampleSpread, window: Window) -> float | None:
    if found.count < rule.count_min:
        return None
    if rule.statistic == "rate":
        return found.sum / window.seconds
    value: float = getattr(found, rule.statistic or "mean")
    return value


def _used(found: CostSum, monthly_nano_usd: int | None) -> float | None:
    if not monthly_nano_usd or found.known_nano_usd is None:
        return None
    return found.known_nano_usd / monthly_nano_usd


def _chosen_errors(rule: Rule, whole: Answer) -> Values:
    """Count only the errors with the codes and types that the rule names."""
    keys, codes, types = len(rule.group_by), {*map(str, rule.status_codes)}, {*rule.error_types}
    errors: dict[Names, int] = {}
    judged: dict[Names, int] = {}
    for names, found in whole.items():
        group, rest = names[:keys], names[keys:]
        judged[group] = judged.get(group, 0) + found.judged
        has_code = not codes or rest[0] in codes
        if has_code and (not types or rest[-1] in types):
            errors[group] = errors.get(group, 0) + found.errors
    if rule.signal == "error_count":
        return {group: float(errors.get(group, 0)) for group in judged}
    return {
        group: errors.get(group, 0) / count if count >= rule.count_min else None
        for group, count in judged.items()
    }


def _shares(rule: Rule, whole: Answer, part: Answer) -> Values:
    return {
        names: part.get(names, 0) / count if count >= rule.count_min else None
        for names, count in whole.items()
    }


def _growth(rule: Rule, whole: Answer) -> Values:
    found: Values = {}
    for (server, tool), growth in whole.items():
        labels = {"server": server, "tool": tool}
        group = tuple(labels[key] for key in rule.group_by)
        found[group] = max(found.get(group) or 0.0, float(growth))
    return found
