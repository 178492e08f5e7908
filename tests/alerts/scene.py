"""A store whose records a test writes and whose rules it evaluates, minute by minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contextframe_monitoring.alerts.desk import AlertDesk, By
from contextframe_monitoring.alerts.duty import AlertDuty
from contextframe_monitoring.alerts.rule_desk import RuleDesk
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import (
    CostRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock

MINUTE_US = 60_000_000
ADA = By("ada", "command")


class Scene:
    """One store, one keeper's duty, and a clock that the test moves."""

    def __init__(self, folder: Path, *rules: dict[str, Any], **settings: Any) -> None:
        self.clock = ManualClock()
        alerts = {"default_rules": False, **settings.pop("alerts", {})}
        self.config = MonitoringConfig(
            store=str(folder / "store"),
            start_keeper=False,
            alert_rules=list(rules),
            alerts=_alert_settings(**alerts),
            **settings,
        )
        self.store = Store(self.config.store or "")
        self._recorder: Recorder | None = None
        self.duty = self._new_duty()
        self.desk = AlertDesk(self.store, self.config, self.clock)
        self.rules = RuleDesk(self.store, self.config, self.clock)

    def _new_duty(self) -> AlertDuty:
        return AlertDuty(Store(self.store.uri), self.config, lambda: self.clock.ns / 1e9)

    def restart(self) -> None:
        """Let another process go on: nothing is kept but what stands in the state."""
        self.duty.close()
        self.duty = self._new_duty()

    def record(self, *records: Record) -> None:
        if self._recorder is None:
            self._recorder = Recorder(Spool(self.store.spool_root, label="scene"))
        assert all(self._recorder.record(record) for record in records)

    def spend(self, usd: float, **fields: Any) -> None:
        """Record a cost that arises now."""
        self.record(
            CostRecord(
                **{
                    "time_us": self.clock.now_us(),
                    "cost_type": "llm",
                    "provider": "anthropic",
                    "amount_nano_usd": round(usd * 10**9),
                    "provenance": "computed",
                    **fields,
                }
            )
        )

    def call(self, count: int = 1, *, agent: str = "a", **fields: Any) -> None:
        """Record calls of a tool that start now."""
        self.record(
            *(
                OperationRecord(
                    **{
                        "time_us": self.clock.now_us(),
                        "operation_type": "tools/call",
                        "target": "search",
                        "status": "success",
                        "duration_ms": 10.0,
                        "origin": Origin(server="s", agent_id=agent),
                        **fields,
                    }
                )
                for _ in range(count)
            )
        )

    def use(self, count: int = 1, **fields: Any) -> None:
        """Record uses of a document now."""
        kept = {"metric_type": "document_access", "resource_id": "d", "operation": "read"}
        for _ in range(count):
            self.record(UsageRecord(**{"time_us": self.clock.now_us(), **kept, **fields}))

    def pass_minutes(self, minutes: float) -> str | None:
        """Let time pass, then let the keeper's duty tick; return what it says is wrong."""
        self.clock.pass_ms(minutes * 60_000)
        return self.tick()

    def tick(self) -> str | None:
        return self.duty.tick(self.clock.now_us())

    @property
    def state(self) -> AlertState:
        return AlertState.made(self.store)

    def alerts(self, *states: str) -> list[Alert]:
        wanted: Any = states or ("pending", "firing", "resolved")
        return self.state.book.find(states=wanted)

    def standing(self) -> dict[str, str]:
        """Return rule and group of every alert -> its state."""
        found = self.alerts()
        return {" ".join([a.rule, *a.group.values()]): a.state for a in found}


def _alert_settings(**values: Any) -> Any:
    from contextframe_monitoring.core.alert_settings import AlertSettings

    return AlertSettings(**values)
