"""`Routine`: the quick way to record a tool call that is like one before it; nearly all are.

Between two calls little of ours stays in the processor's caches, so what counts here is the number
of steps and of objects that are touched.
"""

from __future__ import annotations

from typing import Any

from contextframe_monitoring.core.operation_form import OperationForm
from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.mcp.sizes import encode
from contextframe_monitoring.mcp.targets import TokenRatios


class Routine:
    """What the calls of one tool by one agent have in common."""

    __slots__ = ("_form", "_ratios", "origin")

    def __init__(self, form: OperationForm, ratios: TokenRatios, origin: Origin) -> None:
        """`form` is laid out for `origin`."""
        self._form, self._ratios, self.origin = form, ratios, origin

    def encoded(self, number: int, time_us: int, took_ns: int, params: Any, result: Any) -> bytes:
        """Return the record of a call that succeeded, encoded.

        Raises whatever it meets in a call whose sizes or tokens can't be had, or written down.
        """
        request_size, result_size = len(encode(params)), len(encode(result))
        ratios = self._ratios
        written: int | None
        read: int | None
        try:  # what `tokens` does when nothing is to be sampled
            written = int(ratios.written_means[request_size.bit_length()] * request_size + 0.5)
            read = int(ratios.read_means[result_size.bit_length()] * result_size + 0.5)
            is_due = ratios.due <= 1
        except KeyError:
            is_due = True
        if is_due:
            written, read = ratios.tokens(params, request_size, result, result_size)
        else:
            ratios.due -= 1
        return self._form.filled(
            number, time_us, took_ns / 1e6, request_size, result_size, written, read
        )
