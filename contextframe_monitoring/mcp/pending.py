"""Calls that wait for their answer, in one direction of one connection."""

from __future__ import annotations

from collections import deque

from contextframe_monitoring.mcp.call import Call
from contextframe_monitoring.mcp.message import MessageId

PENDING_MAX = 8192
"""More than the pipes between host and server hold of the smallest messages (6,500 on Linux), so
only a server that does not answer reaches it; about 0.5 KB each.
"""


class PendingCalls:
    """Calls by id, oldest first, at most `pending_max`.

    An id that is used again before its answer came queues up behind the first one: peers that
    break the rule of unique ids answer in turn.
    """

    def __init__(self, pending_max: int = PENDING_MAX) -> None:
        """Keep at most `pending_max` calls."""
        self._pending_max = pending_max
        self._calls: dict[MessageId, Call] = {}
        self._repeated: deque[tuple[MessageId, Call]] = deque()

    def __len__(self) -> int:
        """Return how many calls wait."""
        return len(self._calls) + len(self._repeated)

    def add(self, key: MessageId, call: Call) -> Call | None:
        """Remember a call; return the oldest one where that had to make room for it."""
        dropped = None
        if len(self) >= self._pending_max:
            dropped = self.pop(next(iter(self._calls)))
        if key in self._calls:
            self._repeated.append((key, call))
        else:
            self._calls[key] = call
        return dropped

    def get(self, key: MessageId) -> Call | None:
        """Return the oldest call with this id, None when there is none."""
        return self._calls.get(key)

    def pop(self, key: MessageId) -> Call | None:
        """Take the oldest call with this id out; None when there is none."""
        call = self._calls.pop(key, None)
        if self._repeated and call is not None:
            for entry in self._repeated:
                if entry[0] == key:
                    self._repeated.remove(entry)
                    self._calls[key] = entry[1]
                    break
        return call

    def pop_all(self) -> list[Call]:
        """Take every call out, those with an id of their own first."""
        calls = [*self._calls.values(), *(call for _, call in self._repeated)]
        self._calls.clear()
        self._repeated.clear()
        return calls
