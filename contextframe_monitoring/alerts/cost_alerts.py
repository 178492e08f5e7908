"""`CostAlertManager`: usage that an application measured itself, held against cost thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from contextframe_monitoring.alerts.application import AlertManager
from contextframe_monitoring.core.cost_thresholds import AlertLevel, CostThresholds


class Usage(Protocol):
    """What usage analytics are asked for."""

    @property
    def llm_percentage(self) -> float:
        """The share of the requests that went to the most expensive tier, 0 to 1."""
        ...


class CostAlertManager:
    """Raises the warning or the critical alert of the thresholds; the keeper raises the same ones
    where `CostThresholds.rules()` stand among its rules.
    """

    def __init__(self, alerts: AlertManager, thresholds: CostThresholds | None = None) -> None:
        """Use the alerts of a monitor."""
        self._alerts = alerts
        self.thresholds = thresholds or CostThresholds()

    async def evaluate_cost_thresholds(
        self, current_usage: Usage, analytics: Mapping[str, Any] | None = None
    ) -> AlertLevel | None:
        """Raise an alert when usage is too far above its target; return how bad it is, None when
        it is not. `analytics` (shares, trend, cost) are kept with the alert.
        """
        share = float(current_usage.llm_percentage)
        level = self.thresholds.level(share)
        if level is not None:
            rule = self.thresholds.rules()[level]
            data = {**(analytics or {}), "category_share": share}
            await self._alerts.trigger_alert(rule, data)
        return level
