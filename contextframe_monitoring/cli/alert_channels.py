"""`alerts channels` and `alerts test`: where notifications go, and whether they arrive."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    print_json,
    settings,
    to_the_second,
)
from contextframe_monitoring.core.channel_status import ChannelStatus

_GOOD = ("working", "untried")


@edge
def channels(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Which channels there are, and how they do. Exit status 1 when one can't be used.

    Examples:
      contextframe-monitoring alerts channels --config monitoring.toml
    """
    from contextframe_monitoring.alerts.trial import channel_statuses
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    now_us = SystemClock().now_us()
    statuses = channel_statuses(store_of(found), found, os.environ, now_us)
    if json:
        print_json(msgspec.json.format(msgspec.json.encode(statuses)).decode())
    elif not statuses:
        console.print("no channel is configured: add a table [channels.NAME]", markup=False)
    else:
        for status in _table(statuses):
            console.print(status)
    if any(status.state not in _GOOD for status in statuses):
        raise typer.Exit(FINDING)


def _table(statuses: Sequence[ChannelStatus]) -> list[Table | str]:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("channel", "type", "state", "from", "last sent", "fallback"):
        table.add_column(name, overflow="fold")
    for one in statuses:
        table.add_row(
            escape(one.name),
            one.type,
            one.state,
            one.min_severity,
            to_the_second(one.last_sent_at or "-"),
            escape(one.fallback or "-"),
        )
    problems = [escape(f"{one.name}: {one.problem}") for one in statuses if one.problem]
    return [table, *problems]


def try_it(channel: str, store: str | None, config: str | None) -> None:
    """Send a test notification through a channel, now."""
    from contextframe_monitoring.alerts.trial import try_channel
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    now_us = SystemClock().now_us()
    sent = try_channel(store_of(found), found, channel, os.environ, now_us)
    console.print(f"channel {channel} took it", markup=False, highlight=False)
    if sent.problem is not None:
        console.print(sent.problem, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(FINDING)
