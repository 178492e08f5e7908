"""What an alert says: one bounded line, and its annotations with their placeholders filled."""

from __future__ import annotations

from collections.abc import Mapping

from contextframe_monitoring.core.annotations import filled, quoted
from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.signals import SIGNALS
from contextframe_monitoring.core.threshold import Bound

MESSAGE_CHARS_MAX = 500
_RELATIVE = {
    "target": "its target",
    "baseline": "its baseline of the week before",
    "previous": "the window before",
}


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit as people write it; a share in percent."""
    if value is None:
        return "unknown"
    if unit == "share":
        return f"{value * 100:.4g} %"
    text = f"{value:,.2f}" if abs(value) >= 1_000 else f"{value:.6g}"
    return f"{text.removesuffix('.00')} {unit}".rstrip()


def said(rule: Rule, group: Mapping[str, str], value: float | None, bound: Bound | None) -> str:
    """Return the line of an alert. Names from outside are quoted."""
    what = rule.signal.replace("_", " ")
    if rule.series is not None:
        what += f" of {rule.series.replace('_', ' ')}"
    if rule.statistic is not None:
        what = f"{rule.statistic} {what}"
    if rule.metric is not None:
        what += f" {quoted(rule.metric)}"
    line = f"{rule.name}: {what}{_when(rule)} is {amount(value, rule.unit)}"
    if bound is not None:
        line += f", {rule.direction} {amount(bound.threshold, rule.unit)}"
    if rule.relative_to is not None:
        side = "more" if rule.direction == "above" else "less"
        line += f" ({abs(rule.bound) * 100:g} % {side} than {_RELATIVE[rule.relative_to]})"
    if group:
        line += f"; {', '.join(f'{key} {quoted(name)}' for key, name in group.items())}"
    return bounded_text(line, MESSAGE_CHARS_MAX)


def _when(rule: Rule) -> str:
    if not SIGNALS[rule.signal].has_window:
        return ""
    return f" of {rule.window}" if rule.window_us is None else f" of the last {rule.window}"


def annotated(
    rule: Rule, group: Mapping[str, str], value: float | None, bound: Bound | None
) -> dict[str, str]:
    """Return the annotations of a rule for one group."""
    values = {
        "rule": rule.name,
        "signal": rule.signal,
        "severity": rule.severity,
        "value": amount(value, rule.unit),
        "threshold": amount(None if bound is None else bound.threshold, rule.unit),
        "unit": rule.unit,
        "window": rule.window,
        **{f"group.{key}": name for key, name in group.items()},
        **{f"labels.{key}": text for key, text in rule.labels.items()},
    }
    return {name: filled(text, values) for name, text in rule.annotations.items()}
