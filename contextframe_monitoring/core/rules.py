"""Alert rules: which signal is watched, over which rows, against which bound, and who hears of it.

A rule is a table of TOML or JSON (`[[alert_rules]]`); durations stay the words they were written
in. What a rule decides is in `core.threshold` and `core.rule_step`, what it says in
`core.annotations`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from contextframe_monitoring.core.alert import Severity
from contextframe_monitoring.core.annotations import check_template
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.signals import SIGNALS, Family, Signal
from contextframe_monitoring.core.windows import PERIODS, span_us

Comparison = Literal["above", "below"]
RelativeTo = Literal["target", "baseline", "previous"]
Statistic = Literal["mean", "p50", "p90", "p95", "p99", "max", "min", "sum", "rate", "last"]
Series = Literal["cost", "error_rate", "latency", "throughput", "usage_count", "metric"]

NAME_CHARS_MAX = 100
TEXT_CHARS_MAX = 500
PAIRS_MAX = 16
GROUP_KEYS_MAX = 3
CODES_MAX = 50
WINDOW_DAYS_MAX = 400
WINDOW_US_MIN = 1_000_000
FOR_DAYS_MAX = 30
SLOT_US_MIN, SLOT_US_MAX = 60_000_000, 3_600_000_000
RULES_MAX = 2_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]*")
_STATISTICS: Mapping[Signal, tuple[str, ...]] = {
    "latency": ("mean", "p50", "p90", "p95", "p99", "max"),
    "metric": ("sum", "mean", "max", "min", "rate", "last"),
}
_LENGTH_WORDS = "expected a span such as 30s, 5m, 1h, 7d"


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. Raises `InvalidError` that names rule and key when a value is not allowed.

    `threshold` is in the unit of the signal (`SIGNALS`); with `relative_to` it is a share: 0.2
    above means 20 % above the reference.
    """

    name: str
    signal: Signal
    threshold: float | None = None
    """None where the signal has a bound of its own: `no_data`, `anomaly`, `records_lost` ..."""
    comparison: Comparison | None = None
    """None: as the signal has it, nearly always `above`."""
    relative_to: RelativeTo | None = None
    target: float | None = None
    """What the threshold is relative to, with `relative_to = "target"`."""
    recovery_threshold: float | None = None
    """A firing alert is over when the value is back at this; None: at the threshold."""
    window: str = "5m"
    """A span, or a calendar word: today, week, month, year."""
    for_: str = msgspec.field(name="for", default="0s")
    """How long it must be met before it fires."""
    keep_firing_for: str = "0s"
    """How long it must be over before it resolves."""
    severity: Severity = "warning"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    channels: list[str] = []
    inline_channels: dict[str, dict[str, Any]] = {}
    """Channels that the rule itself brings, by the names that `channels` has for them."""
    is_active: bool = True
    filter: dict[str, str] = {}
    group_by: list[str] = []
    count_min: int = 1
    """Fewer operations than this say nothing about a rate, a share or a latency."""
    statistic: Statistic | None = None
    """Of latency (None: p95) and of a custom metric (None: mean)."""
    metric: str | None = None
    """Name of the custom metric."""
    status_codes: list[int] = []
    """Errors with these codes only, for error_rate and error_count."""
    error_types: list[str] = []
    """Errors of these types only, for error_rate and error_count."""
    slower_than_ms: float | None = None
    """What slow_count calls slow; None: `slow_query_threshold_ms`."""
    share_of: dict[str, str] = {}
    """For category_share: the rows whose share it is, for example {category = "llm"}."""
    series: Series | None = None
    """For anomaly: the signal whose course is watched; for no_data: what must come."""

    def __post_init__(self) -> None:
        """Check what depends on more than one key, and every text and length."""
        _check_texts(self)
        _check_lengths(self)
        _check_bounds(self)
        _check_signal(self)

    @property
    def window_us(self) -> int | None:
        """The window in microseconds, None for a calendar word."""
        return None if self.window in PERIODS else span_us(self.window)

    @property
    def for_us(self) -> int:
        """How long it must be met, microseconds."""
        return span_us(self.for_) or 0

    @property
    def keep_firing_for_us(self) -> int:
        """How long it must be over, microseconds."""
        return span_us(self.keep_firing_for) or 0

    @property
    def direction(self) -> Comparison:
        """On which side of the bound the rule is met."""
        return self.comparison or SIGNALS[self.signal].comparison

    @property
    def bound(self) -> float:
        """The threshold, where the rule has none that of its signal."""
        found = self.threshold if self.threshold is not None else SIGNALS[self.signal].threshold
        return 0.0 if found is None else found

    @property
    def family(self) -> Family:
        """The kind of rows that it reads."""
        return SIGNALS[self.signal].family

    @property
    def unit(self) -> str:
        """The unit of its value."""
        return SIGNALS[self.signal].unit

    @property
    def subject(self) -> tuple[object, ...]:
        """What is watched, whatever the bound: a worse rule with the same subject says it all."""
        return (
            self.signal, self.statistic, self.metric, self.series, tuple(self.group_by),
            tuple(sorted(self.filter.items())), tuple(sorted(self.share_of.items())),
            tuple(self.status_codes), tuple(self.error_types), self.direction,
        )  # fmt: skip


def wrong(rule: str, key: str, value: object, allowed: str) -> InvalidError:
    """Return the error for a key of a rule."""
    return InvalidError(f"alert rule {rule[:NAME_CHARS_MAX]!r}: {key}", value, allowed)


def _check_texts(rule: Rule) -> None:
    if not 0 < len(rule.name) <= NAME_CHARS_MAX or not _NAME.fullmatch(rule.name):
        allowed = f"1 to {NAME_CHARS_MAX} letters, digits, space and . _ : / -, a letter first"
        raise InvalidError("alert rule: name", rule.name, allowed)
    for key in ("labels", "annotations", "filter", "share_of"):
        _check_pairs(rule, key, getattr(rule, key))
    for name, text in rule.annotations.items():
        problem = check_template(text, rule.group_by, rule.labels)
        if problem is not None:
            raise wrong(rule.name, f"annotations.{name}", text, problem)
    keys = rule.group_by
    if len(keys) > GROUP_KEYS_MAX or len(set(keys)) < len(keys) or not all(keys):
        allowed = f"expected at most {GROUP_KEYS_MAX} different keys"
        raise wrong(rule.name, "group_by", ",".join(keys), allowed)
    for key in ("channels", "inline_channels", "status_codes", "error_types"):
        items = getattr(rule, key)
        if len(items) > CODES_MAX:
            raise wrong(rule.name, key, f"{len(items)} items", f"expected at most {CODES_MAX}")


def _check_pairs(rule: Rule, key: str, pairs: Mapping[str, str]) -> None:
    if len(pairs) > PAIRS_MAX:
        raise wrong(rule.name, key, f"{len(pairs)} pairs", f"expected at most {PAIRS_MAX}")
    for name, text in pairs.items():
        if not 0 < len(name) <= NAME_CHARS_MAX or len(text) > TEXT_CHARS_MAX:
            allowed = f"names up to {NAME_CHARS_MAX}, texts up to {TEXT_CHARS_MAX} characters"
            raise wrong(rule.name, f"{key}.{name[:NAME_CHARS_MAX]}", text, allowed)


def _check_lengths(rule: Rule) -> None:
    span = None if rule.window in PERIODS else span_us(rule.window)
    in_bounds = span is not None and WINDOW_US_MIN <= span <= WINDOW_DAYS_MAX * US_PER_DAY
    if rule.window == "yesterday" or (rule.window not in PERIODS and not in_bounds):
        allowed = f"{_LENGTH_WORDS} (1s to {WINDOW_DAYS_MAX}d), or one of today, week, month, year"
        raise wrong(rule.name, "window", rule.window, allowed)
    for key, text in (("for", rule.for_), ("keep_firing_for", rule.keep_firing_for)):
        length = span_us(text)
        if length is None or length > FOR_DAYS_MAX * US_PER_DAY:
            raise wrong(rule.name, key, text, f"{_LENGTH_WORDS}, at most {FOR_DAYS_MAX}d")


def _check_bounds(rule: Rule) -> None:
    threshold, recovery = rule.threshold, rule.recovery_threshold
    for key in ("threshold", "recovery_threshold", "target", "slower_than_ms"):
        value = getattr(rule, key)
        if value is not None and not abs(value) < float("inf"):
            raise wrong(rule.name, key, value, "expected a finite number")
    if threshold is None and SIGNALS[rule.signal].threshold is None:
        raise wrong(rule.name, "threshold", None, f"signal {rule.signal!r} needs one")
    if SIGNALS[rule.signal].is_share and rule.relative_to is None and not 0 <= rule.bound <= 1:
        raise wrong(rule.name, "threshold", threshold, "a share from 0 to 1: 0.05 is 5 %")
    if recovery is not None:
        beyond = recovery > rule.bound if rule.direction == "above" else recovery < rule.bound
        if beyond:
            allowed = f"expected it not {rule.direction} the threshold {rule.bound:g}"
            raise wrong(rule.name, "recovery_threshold", recovery, allowed)
    if rule.count_min < 1:
        raise wrong(rule.name, "count_min", rule.count_min, "expected a number from 1 on")
    _check_relative(rule)


def _check_relative(rule: Rule) -> None:
    if (rule.relative_to == "target") != (rule.target is not None):
        raise wrong(rule.name, "target", rule.target, 'goes with relative_to = "target", and only')
    if rule.relative_to == "baseline" and rule.window_us is None:
        raise wrong(rule.name, "window", rule.window, "a baseline needs a span such as 4h")
    if rule.relative_to is not None and not SIGNALS[rule.signal].is_windowed:
        raise wrong(rule.name, "relative_to", rule.relative_to, f"not for signal {rule.signal!r}")


def _check_signal(rule: Rule) -> None:
    """Check the keys that belong to one signal only."""
    allowed = _STATISTICS.get("metric" if rule.series == "metric" else rule.signal)
    if rule.signal == "anomaly" and rule.series == "latency":
        allowed = _STATISTICS["latency"]
    if rule.statistic is not None and rule.statistic not in (allowed or ()):
        words = f"one of {', '.join(allowed)}" if allowed else "only for latency and metric"
        raise wrong(rule.name, "statistic", rule.statistic, words)
    _only(rule, "metric", "metric" in (rule.signal, rule.series), needed=True)
    _only(rule, "share_of", rule.signal == "category_share", needed=True)
    _only(rule, "status_codes", rule.signal in {"error_rate", "error_count"})
    _only(rule, "error_types", rule.signal in {"error_rate", "error_count"})
    _only(rule, "slower_than_ms", rule.signal == "slow_count")
    _only(rule, "series", rule.signal in {"anomaly", "no_data"})
    if rule.family == "own" and (rule.filter or rule.group_by):
        key = "filter" if rule.filter else "group_by"
        raise wrong(rule.name, key, getattr(rule, key), f"not for signal {rule.signal!r}")
    if rule.signal == "anomaly":
        _check_slot(rule)
    if rule.slower_than_ms is not None and rule.slower_than_ms <= 0:
        raise wrong(rule.name, "slower_than_ms", rule.slower_than_ms, "expected more than 0")


def _check_slot(rule: Rule) -> None:
    """An anomaly is looked for slot by slot, and days are made of whole slots."""
    slot = rule.window_us
    if slot is None or not SLOT_US_MIN <= slot <= SLOT_US_MAX or US_PER_DAY % slot:
        raise wrong(rule.name, "window", rule.window, "1m to 1h that divide a day: 1m, 5m, 15m, 1h")


def _only(rule: Rule, key: str, belongs: bool, *, needed: bool = False) -> None:
    value: Any = getattr(rule, key)
    if value and not belongs:
        raise wrong(rule.name, key, value, f"not for signal {rule.signal!r}")
    if needed and belongs and not value:
        raise wrong(rule.name, key, value, "it is needed here")
