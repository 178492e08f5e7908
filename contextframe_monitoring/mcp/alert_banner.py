"""The one line about firing alerts that rides in the `_meta` of the answers of our tools."""

from __future__ import annotations

from collections.abc import Callable, Collection

import anyio.to_thread

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.mcp.adapter import CallNext, Context, Result

BANNER_KEY = "contextframe-monitoring/alerts"


class AlertBanner:
    """A middleware: an agent that does not subscribe hears of alerts with whatever else it asks."""

    def __init__(self, names: Collection[str], banner: Callable[[], str | None]) -> None:
        """`names` are the tools whose answers carry it; `banner` blocks."""
        self._names, self._banner = frozenset(names), banner

    async def __call__(self, ctx: Context, call_next: CallNext) -> Result:
        """Pass a message on; add the line to the answer of a tool of ours."""
        result = await call_next(ctx)
        if ctx.method != "tools/call" or not isinstance(result, dict):
            return result
        if (ctx.params or {}).get("name") not in self._names:
            return result
        try:
            text = await anyio.to_thread.run_sync(self._banner)
        except MonitoringError:
            return result  # a store that can't be read: the tool said so
        if text is None:
            return result
        return {**result, "_meta": {**(result.get("_meta") or {}), BANNER_KEY: text}}
