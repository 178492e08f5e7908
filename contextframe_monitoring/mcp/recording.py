"""`Recording`: the recorder and the observer of one wrapped server, and the word when they fail."""

from __future__ import annotations

import itertools
import os
import threading
from typing import NamedTuple

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.mcp.ending import Ending
from contextframe_monitoring.mcp.line_tokens import LineTokens
from contextframe_monitoring.mcp.observer import Observer
from contextframe_monitoring.mcp.peers import Peers, ServerName
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.vocabulary import vocabulary_of

_SAY_SECONDS_MAX = 0.5


class Recording:
    """Records what a wrapped server does; a store that refuses never stops the server."""

    def __init__(self, config: MonitoringConfig, *, name: str | None, known_as: str) -> None:
        """Open the recorder. `name` wins over the configuration's, that over the server's own
        name, that over `known_as`.
        """
        self._notice = _Notice()
        self._environment = config.environment
        self._numbers = itertools.count(1)
        self._tokens = LineTokens(vocabulary_of(config))
        name = name or config.server
        self._server = ServerName(name or known_as, may_say=name is None)
        self._recorder: Recorder | None = None
        try:
            self._recorder = recorder = open_recorder(config, label=self._server.text)
            if recorder.enabled and recorder.last_error is not None:
                self._notice.not_recording(recorder.last_error)
        except Exception as error:  # noqa: BLE001 - the server runs on
            self._notice.not_recording(f"{type(error).__name__}: {error}")

    def connection(self, transport: str, *, is_session: bool = True) -> Connection | None:
        """Watch one more connection, which is a session by itself or has none yet; None when
        nothing can be or shall be recorded.
        """
        recorder = self._recorder
        if recorder is None or not recorder.enabled:
            return None
        peers = Peers(
            f"{recorder.writer}-c{next(self._numbers)}" if is_session else None,
            self._server,
            environment=self._environment,
            transport=transport,
        )
        observer = Observer(recorder, SystemClock(), peers, lost=self._lost, tokens=self._tokens)
        recorder.connections_changed(1)
        return Connection(observer, peers, recorder)

    def close(self) -> None:
        """Seal the spool, and give a notice a moment to come out."""
        if self._recorder is not None:
            self._recorder.close()
        self._notice.wait()

    def _lost(self) -> None:
        recorder = self._recorder
        if recorder is not None:
            self._notice.not_recording(recorder.last_error or ", ".join(recorder.losses))


class Connection(NamedTuple):
    """One connection that is watched."""

    observer: Observer
    peers: Peers
    recorder: Recorder

    def close(self, ending: Ending, at_ns: int) -> None:
        """Record what waits as ended like this, and count the connection out."""
        self.observer.close(ending, at_ns)
        self.recorder.connections_changed(-1)


class _Notice:
    """Says once on the error stream that records are lost, without ever holding up the relay."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def not_recording(self, reason: str) -> None:
        """Say it, the first time only, in a thread: nobody may be reading that stream."""
        if self._thread is not None:
            return
        text = (
            f"contextframe-monitoring wrap: can't record ({reason});"
            " the server runs on and what is lost is counted\n"
        )
        self._thread = threading.Thread(target=self._say, args=(text,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Give the notice a moment to come out before we end."""
        if self._thread is not None:
            self._thread.join(_SAY_SECONDS_MAX)

    @staticmethod
    def _say(text: str) -> None:
        try:
            os.write(2, text.encode("utf-8", "replace"))
        except OSError:
            return  # there is no error stream: nobody can be told
