"""The sessions that pass an HTTP relay: each is a connection of its own, whatever sockets it uses.

Since 2026-07-28 there are none: then, and until a server gives one, the client's socket stands for
the connection.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from contextframe_monitoring.mcp.ending import RELAY_STOPPED, SESSION_ENDED, Ending
from contextframe_monitoring.mcp.recording import Connection, Recording

TRANSPORT = "streamable-http"
SESSIONS_MAX = 1024
"""Sessions that are remembered; the one that was silent longest is forgotten for a new one."""


class Sessions:
    """Connections by the session id that the server gave."""

    def __init__(self, recording: Recording, *, sessions_max: int = SESSIONS_MAX) -> None:
        """Open connections of `recording`."""
        self._recording = recording
        self._sessions_max = sessions_max
        self._known: OrderedDict[str, Connection] = OrderedDict()

    def opened(self) -> Connection | None:
        """Return a connection without a session; None when nothing is recorded."""
        return self._recording.connection(TRANSPORT, is_session=False)

    def of(self, session_id: str) -> Connection | None:
        """Return the connection of a session, also of one that is older than this relay."""
        known = self._known.get(session_id)
        if known is not None:
            self._known.move_to_end(session_id)
            return known
        opened = self.opened()
        if opened is not None:
            self.adopt(opened, session_id)
        return opened

    def knows(self, session_id: str) -> bool:
        """Return whether messages of this session were seen."""
        return session_id in self._known

    def adopt(self, connection: Connection, session_id: str) -> None:
        """Let a connection be that of a session from now on."""
        connection.peers.session_is(session_id)
        self._known[session_id] = connection
        if len(self._known) > self._sessions_max:
            self._close(self._known.popitem(last=False)[1], SESSION_ENDED)

    def ended(self, session_id: str) -> None:
        """Hear that a session is over."""
        connection = self._known.pop(session_id, None)
        if connection is not None:
            self._close(connection, SESSION_ENDED)

    def close(self) -> None:
        """Record what still waits in every session: the relay stops."""
        while self._known:
            self._close(self._known.popitem(last=False)[1], RELAY_STOPPED)

    @staticmethod
    def _close(connection: Connection, ending: Ending) -> None:
        connection.close(ending, time.perf_counter_ns())
