"""A store with alerts, and the dispatcher that tells channels of them, moved by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from contextframe_monitoring.alerts.dispatcher import Dispatcher
from contextframe_monitoring.core.config import config_from
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.notification_log import NotificationLog
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.core.delivered import made_alert
from tests.processes import until


class Desk:
    """One store, its alerts, its channels, and a clock."""

    def __init__(
        self,
        folder: Path,
        tables: dict[str, dict[str, Any]],
        *,
        environ: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.store = Store(str(folder / "store"))
        engine = self.store.create()
        self.book, self.log = AlertBook(engine), NotificationLog(engine)
        alerts = {"group_wait_seconds": 0, "group_by": ["rule"], **settings}
        self.config = config_from({"channels": tables, "alerts": alerts}, "here", {})
        self.clock = ManualClock()
        self.environ = environ or {}
        self.made: dict[str, Any] = {}
        self.dispatcher = self.another()

    def another(self, **made: Any) -> Dispatcher:
        """Return a dispatcher of the same store: another process, so to say."""
        self.made = made or self.made
        self.dispatcher = Dispatcher(
            self.store,
            self.config,
            clock=self.clock,
            environ=self.environ,
            random=Random(7),
            **self.made,
        )
        return self.dispatcher

    def fire(self, name: str, **changes: Any) -> None:
        now = self.clock.now_us()
        given = {"created_us": now, "fired_us": now, **changes}
        self.book.put([made_alert(name, **given)])

    def change(self, name: str, **changes: Any) -> None:
        found = self.book.get(name)
        assert found is not None
        self.book.put([dataclasses.replace(found, **changes)])

    def resolve(self, name: str) -> None:
        self.change(name, state="resolved", resolved_us=self.clock.now_us(), resolved_by="rule")

    def tick(self, seconds: float = 0) -> str | None:
        """Let time pass, tick, and wait for what is on its way to end."""
        problem = self.tick_only(seconds)
        self.dispatcher.close()
        return problem

    def tick_only(self, seconds: float = 0) -> str | None:
        """Let time pass, and tick."""
        self.clock.pass_ms(seconds * 1000)
        return self.dispatcher.tick(self.clock.now_us())

    def until(self, what: Callable[[], bool], seconds: float = 1) -> None:
        """Tick on, as long as it takes."""

        def ticked() -> bool:
            self.tick_only(seconds)
            return what()

        until(ticked)
