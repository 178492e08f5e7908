"""The cost control seed's thresholds: by an application's own figures, and by the keeper's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.application import AlertManager
from contextframe_monitoring.alerts.cost_alerts import CostAlertManager
from contextframe_monitoring.core.cost_thresholds import AlertLevel, CostThresholds
from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.rule_tables import table_of
from tests.alerts.scene import Scene


@dataclass
class Analytics:
    llm_percentage: float


@pytest.mark.requirement(
    "000:alerts:cost-alert-manager", "000:alerts:evaluate-thresholds", "000:alerts:level-enum",
    "000:ac2:analytics-in-alert", "003:alertsapi:details",
)  # fmt: skip
@pytest.mark.anyio
async def test_usage_above_its_target_raises_the_alert_of_its_level(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    manager = CostAlertManager(AlertManager(scene.store, scene.config, scene.clock))
    shares = (0.07, 0.084, 0.086, 0.092)
    levels = [await manager.evaluate_cost_thresholds(Analytics(share)) for share in shares]
    assert levels == [None, None, AlertLevel.WARNING, AlertLevel.CRITICAL]
    details = {"current_cost": 456.78, "budget": 500.0, "percentage": 91.4, "trend": "rising"}
    await manager.evaluate_cost_thresholds(Analytics(0.2), details)
    found = {alert.rule: alert for alert in scene.alerts()}
    assert {name: alert.severity for name, alert in found.items()} == {
        "llm_usage_warning": "warning", "llm_usage_critical": "critical",
    }  # fmt: skip
    critical = found["llm_usage_critical"]
    assert (critical.actual, critical.threshold) == (0.2, pytest.approx(0.091))
    assert critical.details == {
        "current_cost": "456.78", "budget": "500.0", "percentage": "91.4", "trend": "rising",
        "category_share": "0.2",
        "summary": "20 % of the requests went to the most expensive tier.",
        "recommendation": "See report usage --group-by category: which requests fall through the "
        "cheaper tiers, and since when?",
    }  # fmt: skip


@pytest.mark.requirement("000:config:evaluation-window")
def test_the_keeper_finds_the_same_in_what_is_recorded(tmp_path: Path) -> None:
    thresholds = CostThresholds()
    scene = Scene(tmp_path, *map(table_of, thresholds.rules().values()))
    scene.use(91, category="rule_based")
    scene.use(9, category="llm")
    scene.tick()
    assert scene.standing() == {"llm_usage_warning": "firing"}
    scene.use(1, category="llm")
    scene.pass_minutes(1)
    alerts = {alert.rule: alert for alert in scene.alerts()}
    assert alerts["llm_usage_warning"].held_back_by == alerts["llm_usage_critical"].alert_id


@pytest.mark.requirement("000:config:llm-alert-name")
def test_both_names_of_the_seed_are_understood_and_others_refused() -> None:
    assert CostThresholds.of({"llm_alert_threshold": 0.1}) == CostThresholds(
        llm_warning_threshold=0.1
    )
    with pytest.raises(UnknownKeyError, match="llm_targt"):
        CostThresholds.of({"llm_targt": 0.1})
    with pytest.raises(InvalidError, match=r"llm_warning_threshold = 0.5 is not allowed"):
        CostThresholds(llm_warning_threshold=0.5)
    with pytest.raises(InvalidError, match="llm_target = 0 is not allowed"):
        CostThresholds(llm_target=0)
