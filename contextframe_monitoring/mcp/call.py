"""A request seen going by: who calls what, from when on."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from contextframe_monitoring.core.records import AgentSource

Direction = Literal["in", "out"]
"""`in`: from the client to the server; `out`: from the server to the client."""


class Caller(NamedTuple):
    """Who calls, and who says so."""

    name: str | None = None
    source: AgentSource | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request or notification, as far as it is known before any answer."""

    method: str
    target: str | None
    time_us: int
    started_ns: int
    size: int | None
    caller: Caller
    operation_id: str
    correlation_id: str | None
    attributes: tuple[str, ...] = ()
    tokens: int | None = None
    """Estimated tokens that a model wrote."""
