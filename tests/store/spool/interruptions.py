"""An exception from outside, raised at every place where the interpreter could deliver one.

CPython looks for signals after a call, at the start of a function and at a jump back: nowhere
else. The tracer counts these places in the spool's code and raises at the nth.
"""

from __future__ import annotations

import contextlib
import dis
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from contextframe_monitoring.store.spool import writer

_FOLDER = writer.__file__.rpartition("/")[0]
_PLACES = ("CALL", "RESUME", "JUMP_BACKWARD", "FOR_ITER")


class Interrupter:
    """Raises `KeyboardInterrupt` once, at place number `nth`."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.raised = False
        self._last: dict[FrameType, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_FOLDER) or self.raised:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            before = self._last.get(frame, "")
            self._last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before.startswith(_PLACES):
                self.left -= 1
                if self.left < 0:
                    self.raised = True
                    raise KeyboardInterrupt
        return self


@contextlib.contextmanager
def interrupted_at(nth: int) -> Iterator[Interrupter]:
    """Raise at place `nth` of what the block runs; `raised` tells whether it has so many."""
    interrupter, before = Interrupter(nth), sys.gettrace()
    sys.settrace(interrupter)
    try:
        yield interrupter
    except KeyboardInterrupt:
        assert interrupter.raised
    finally:
        sys.settrace(before)
