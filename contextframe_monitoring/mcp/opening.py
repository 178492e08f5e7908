"""An awaitable that tells when it begins to wait."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar, cast

_T = TypeVar("_T")


@types.coroutine
def announced(awaitable: Awaitable[_T], waits: Callable[[], None]) -> Generator[Any, Any, _T]:
    """Await `awaitable`, and call `waits` once, when it gives up control for the first time.

    It is not called when the awaitable returns or raises before that. Everything else passes
    through unchanged, as with `yield from`.
    """
    steps: Any = awaitable.__await__()
    try:
        request = next(steps)
    except StopIteration as done:
        return cast("_T", done.value)
    waits()
    while True:
        try:
            answer = yield request
        except BaseException as error:  # noqa: BLE001 - a cancellation belongs to the awaitable
            step, argument = steps.throw, error
        else:
            step, argument = steps.send, answer
        try:
            request = step(argument)
        except StopIteration as done:
            return cast("_T", done.value)
