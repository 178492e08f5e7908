"""What belongs together: the id of the request that is being handled, and whose it is.

It is bound to the context (`contextvars`), so that it goes along into tasks, task groups and the
threads of `anyio.to_thread`; a bare thread gets it through `carried`. Records and log lines that
are made meanwhile take it from there. Nothing is bound unless somebody asks: `current` is then one
look-up.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import msgspec

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import Record
from contextframe_monitoring.core.traceparent import trace_id_of

ID_CHARS_MAX = 128
HEADER = "X-Correlation-ID"
"""The HTTP header that carries an id where there is no trace context."""
META_KEY = "correlationId"
"""The member of an MCP message's `_meta` that does."""
TRACEPARENT = "traceparent"

_match_id = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:@/+=-]{{0,{ID_CHARS_MAX - 1}}}").fullmatch
_match_trace_id = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Correlation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request, conversation or job, as far as it is known."""

    correlation_id: str | None = None
    tenant_id: str | None = None
    conversation_id: str | None = None
    workflow_id: str | None = None


_BOUND: ContextVar[Correlation | None] = ContextVar("contextframe_monitoring", default=None)
current: Callable[[], Correlation | None] = _BOUND.get
"""Return what is bound here, None where nothing is."""


def correlation_id() -> str | None:
    """Return the correlation id that is bound here, None where none is."""
    bound = current()
    return None if bound is None else bound.correlation_id


@contextlib.contextmanager
def bound_to(correlation: Correlation | None) -> Iterator[Correlation | None]:
    """Bind for the length of a block; None: nothing is bound within it."""
    token = _BOUND.set(correlation)
    try:
        yield correlation
    finally:
        with contextlib.suppress(ValueError):  # a generator that is closed in another context
            _BOUND.reset(token)


def joined(given: Mapping[str, object], make: Callable[[], str | None]) -> Correlation:
    """Return what is bound here, with the ids that are given in place of its own; `make` makes the
    correlation id where there is none.

    Raises `InvalidError` for an id that is no text, or a correlation id that is not allowed.
    """
    bound = current() or Correlation()
    changes: dict[str, str | None] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, str) or not value:
            raise InvalidError(name, value, "expected a text that is not empty")
        changes[name] = bounded_name(value)
    wanted = changes.get("correlation_id")
    if wanted is not None and accepted_id(given["correlation_id"]) is None:
        allowed = f"expected 1 to {ID_CHARS_MAX} letters, digits or . _ : @ / + = -"
        raise InvalidError("correlation_id", given["correlation_id"], allowed)
    if wanted is None and bound.correlation_id is None:
        changes["correlation_id"] = make()
    return msgspec.structs.replace(bound, **changes)


def accepted_id(given: object) -> str | None:
    """Return an id that came from outside when it may stand in rows, lines and headers, else
    None.
    """
    return given if isinstance(given, str) and _match_id(given) else None


def id_from(traceparent: object, header: object) -> str | None:
    """Return the id that a request brings: its W3C trace id, else what `X-Correlation-ID` says."""
    return trace_id_of(traceparent) or accepted_id(header)


def outgoing(span_id: str) -> dict[str, str]:
    """Return what tells the bound id to another service: headers, or members of `_meta`.

    `span_id` are 16 hexadecimal digits. `traceparent` is there when the id is a trace id. Empty
    where no id is bound.
    """
    found = correlation_id()
    if found is None:
        return {}
    if _match_trace_id(found):
        return {HEADER: found, TRACEPARENT: f"00-{found}-{span_id}-01"}
    return {HEADER: found}


def carried(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` bound to what is bound here: for bare threads and executors, which start
    with nothing.
    """
    correlation = current()

    @functools.wraps(function)
    def bound(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with bound_to(correlation):
            return function(*args, **kwargs)

    return bound


def correlated(record: Record) -> Record:
    """Return a record with the id that is bound here, unless it has one of its own."""
    found = correlation_id()
    if found is None or record.correlation_id is not None:
        return record
    return msgspec.structs.replace(record, correlation_id=found)


def fields_of(correlation: Correlation | None) -> dict[str, Any]:
    """Return the ids that are bound, by name, without those that are not known."""
    if correlation is None:
        return {}
    named = {name: getattr(correlation, name) for name in correlation.__struct_fields__}
    return {name: value for name, value in named.items() if value is not None}
