"""A program that tells the channels of a store until it is killed.

`python -m tests.alerts.telling STORE URL`: one channel `hook`, a webhook to the URL.
"""

from __future__ import annotations

import sys
import threading

from contextframe_monitoring.alerts.dispatcher import Dispatcher
from contextframe_monitoring.core.config import config_from
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.store import Store


def main(uri: str, url: str) -> None:
    """Tick, again and again."""
    config = config_from(
        {
            "channels": {"hook": {"type": "webhook", "url": url, "signing_key": {"env": "KEY"}}},
            "alerts": {"group_wait_seconds": 0, "group_interval_seconds": 0},
        },
        "here",
        {},
    )
    clock = SystemClock()
    dispatcher = Dispatcher(Store(uri), config, clock=clock, environ={"KEY": "shared-key"})
    never = threading.Event()
    while not never.wait(0.02):
        dispatcher.tick(clock.now_us())


if __name__ == "__main__":
    main(*sys.argv[1:])
