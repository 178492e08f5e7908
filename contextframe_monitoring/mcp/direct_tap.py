"""`DirectTap`: sees what a server sends while it handles a message that was handed over inside the
process: there is no stream that a tap could stand in for.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from time import time_ns
from typing import Any

from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.adapter import Context
from contextframe_monitoring.mcp.wire import Frame, Sender, Wire

_PROGRESS = "notifications/progress"


class DirectTap:
    """The way back of one message; what goes there is shown to every wire of the server."""

    __slots__ = ("_ctx", "_notify", "_progress", "_wires")

    def __init__(self, ctx: Context, notify: Any, progress: Any, wires: list[Wire]) -> None:
        """Stand in for `notify` and `progress`, which the handler of `ctx` calls."""
        self._ctx = weakref.ref(ctx)  # it leads to us: no circle that only the collector ends
        self._notify, self._progress, self._wires = notify, progress, wires

    async def __call__(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Send a notification to the client."""
        self._see(Frame(method, params))
        await self._notify(method, params)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Tell the client how far the handler is: on a stream this is a notification too."""
        told = {"progress": progress, "total": total, "message": message}
        self._see(Frame(_PROGRESS, {key: v for key, v in told.items() if v is not None}))
        await self._progress(progress, total, message)

    def _see(self, frame: Frame) -> None:
        sender = Sender(self._ctx(), None, adapter.TRANSPORT_MEMORY)
        for wire in self._wires:
            wire.notified("out", frame, sender, time_ns() // 1000)
