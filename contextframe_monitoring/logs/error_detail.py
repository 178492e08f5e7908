"""What a log line says of an error: its class, where it came from, and no values.

A frame is `module:line function`: no path of the machine, no source, no locals. The text of an
error may hold contents, so it is only said where the configuration stores error texts, masked.
"""

from __future__ import annotations

import collections
import itertools
from types import TracebackType
from typing import Any

from contextframe_monitoring.core.privacy import bounded_name, masked_text

FRAMES_MAX = 32
"""Frames of one error, the innermost; how many are left out is said."""
CAUSES_MAX = 8
"""Errors behind an error: causes, contexts, members of a group."""


def error_detail(error: BaseException, *, texts: bool, chars_max: int) -> dict[str, Any]:
    """Return the error as a JSON object: `type`, `stack`, and where they are, `message`,
    `frames_left_out` and `causes`.
    """
    frames, left_out = _stack(error.__traceback__)
    found: dict[str, Any] = {"type": _name(error)}
    if texts:
        found["message"] = masked_text(_text(error), chars_max)
    found["stack"] = frames
    if left_out:
        found["frames_left_out"] = left_out
    causes = [_name(cause) for cause in _behind(error)]
    return {**found, "causes": causes} if causes else found


def _stack(trace: TracebackType | None) -> tuple[list[str], int]:
    frames: collections.deque[str] = collections.deque(maxlen=FRAMES_MAX)
    number = 0
    while trace is not None:
        frame, number = trace.tb_frame, number + 1
        module = frame.f_globals.get("__name__")
        where = module if isinstance(module, str) else "?"
        frames.append(bounded_name(f"{where}:{trace.tb_lineno} {frame.f_code.co_qualname}"))
        trace = trace.tb_next
    return list(frames), number - len(frames)


def _behind(error: BaseException) -> list[BaseException]:
    """Return the errors behind an error, the nearest first, each once."""
    waiting, seen = collections.deque(_next(error)), [error]
    while waiting and len(seen) <= CAUSES_MAX:
        found = waiting.popleft()
        if not any(found is known for known in seen):
            seen.append(found)
            waiting.extend(_next(found))
    return seen[1:]


def _next(error: BaseException) -> list[BaseException]:
    members = list(itertools.islice(getattr(error, "exceptions", ()), CAUSES_MAX))
    behind = error.__cause__
    if behind is None and not error.__suppress_context__:
        behind = error.__context__
    found = [*members, behind]
    return [one for one in found if isinstance(one, BaseException)]


def _name(error: BaseException) -> str:
    return bounded_name(type(error).__qualname__)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the application's class; its name has to do
        return ""
