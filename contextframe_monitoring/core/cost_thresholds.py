"""How much of the work may go to the most expensive tier: the alert keys of the cost control seed,
and the two rules that they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.core.rules import Rule

WARNING_RULE, CRITICAL_RULE = "llm_usage_warning", "llm_usage_critical"
_ALIASES = {"llm_alert_threshold": "llm_warning_threshold"}
"""The seed's code says the first where its configuration says the second."""


class AlertLevel(StrEnum):
    """How bad a drift of costs is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostThresholds:
    """Shares of all requests; the two thresholds are relative to the target: 0.2 is 20 % above it.

    Raises `InvalidError`.
    """

    llm_target: float = 0.07
    llm_warning_threshold: float = 0.20
    llm_critical_threshold: float = 0.30
    alert_evaluation_window_hours: int = 4
    llm_category: str = "llm"
    """The category of the events of that tier."""

    def __post_init__(self) -> None:
        """Check the order of the thresholds."""
        if not 0 < self.llm_target <= 1:
            raise InvalidError("llm_target", self.llm_target, "a share above 0, at most 1")
        if not 0 <= self.llm_warning_threshold <= self.llm_critical_threshold:
            allowed = f"from 0 to llm_critical_threshold = {self.llm_critical_threshold:g}"
            raise InvalidError("llm_warning_threshold", self.llm_warning_threshold, allowed)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> CostThresholds:
        """Return the thresholds of a table, in either of the seed's two names."""
        known = [field.name for field in fields(cls)]
        named = {_ALIASES.get(key, key): value for key, value in values.items()}
        for key in named:
            if key not in known:
                raise UnknownKeyError(key, known, "the cost thresholds")
        return cls(**named)

    def rules(self) -> dict[AlertLevel, Rule]:
        """Return the rules that say the same over what is recorded."""
        return {
            AlertLevel.WARNING: self._rule(WARNING_RULE, self.llm_warning_threshold, "warning"),
            AlertLevel.CRITICAL: self._rule(CRITICAL_RULE, self.llm_critical_threshold, "critical"),
        }

    def level(self, share: float) -> AlertLevel | None:
        """Return what a share of the requests means, None while it is not far above the target."""
        if share > self.llm_target * (1 + self.llm_critical_threshold):
            return AlertLevel.CRITICAL
        if share > self.llm_target * (1 + self.llm_warning_threshold):
            return AlertLevel.WARNING
        return None

    def _rule(self, name: str, threshold: float, severity: str) -> Rule:
        return rule_of(
            {
                "name": name,
                "signal": "category_share",
                "share_of": {"category": self.llm_category},
                "relative_to": "target",
                "target": self.llm_target,
                "threshold": threshold,
                "window": f"{self.alert_evaluation_window_hours}h",
                "severity": severity,
                "annotations": {
                    "summary": "{value} of the requests went to the most expensive tier.",
                    "recommendation": "See report usage --group-by category: which requests fall "
                    "through the cheaper tiers, and since when?",
                },
            }
        )
