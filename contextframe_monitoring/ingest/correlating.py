"""`correlation`: gives everything that is recorded and logged within a block one id."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator

from contextframe_monitoring.core.correlation import (
    HEADER,
    META_KEY,
    Correlation,
    bound_to,
    joined,
    outgoing,
)

_MAKERS: dict[str, Callable[[], str | None]] = {
    "trace": lambda: uuid.uuid4().hex,
    "uuid": lambda: str(uuid.uuid4()),
    "none": lambda: None,
}


def id_maker(strategy: str) -> Callable[[], str | None]:
    """Return what makes ids as `[logging] correlation_ids` says: `trace`, `uuid` or `none`."""
    return _MAKERS[strategy]


def new_span_id() -> str:
    """Return a random id for one call within a trace, 16 hexadecimal digits."""
    return uuid.uuid4().hex[16:]


def correlation_meta() -> dict[str, str]:
    """Return the `_meta` of an MCP message that carries the bound id to a server, empty where none
    is bound: `await client.call_tool("x", {}, meta=correlation_meta())`.
    """
    found = outgoing(new_span_id())
    if not found:
        return {}
    found[META_KEY] = found.pop(HEADER)
    return found


@contextlib.contextmanager
def correlation(
    correlation_id: str | None = None,
    *,
    tenant_id: str | None = None,
    conversation_id: str | None = None,
    workflow_id: str | None = None,
) -> Iterator[Correlation]:
    """Bind ids for the length of a block; those not given are the ones around it.

    Without an id, and where none is bound, one is made: 32 hexadecimal digits of a random UUID.
    Rows and log lines within the block carry it. Raises `InvalidError` for an id that is not
    allowed.
    """
    given = {
        "correlation_id": correlation_id,
        "tenant_id": tenant_id,
        "conversation_id": conversation_id,
        "workflow_id": workflow_id,
    }
    found = joined(given, id_maker("trace"))
    with bound_to(found):
        yield found
