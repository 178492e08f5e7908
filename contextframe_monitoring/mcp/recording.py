"""`Recording`: the recorder and the observer of one wrapped server, and the word when they fail."""

from __future__ import annotations

import os
import threading

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.mcp.command_name import command_name
from contextframe_monitoring.mcp.observer import Observer
from contextframe_monitoring.mcp.peers import Peers
from contextframe_monitoring.store.machine import SystemClock

_SAY_SECONDS_MAX = 0.5


class Recording:
    """Records what a wrapped server does; a store that refuses never stops the server."""

    def __init__(self, config: MonitoringConfig, *, name: str | None, command: list[str]) -> None:
        """Open the recorder. `name` wins over the configuration's, that over the server's own
        name, that over the one read off its command.
        """
        self._notice = _Notice()
        self._recorder: Recorder | None = None
        self.observer: Observer | None = None
        """What is to see the messages; None when nothing can be or shall be recorded."""
        try:
            self._open(config, name or config.server, command)
        except Exception as error:  # noqa: BLE001 - the server runs on
            self.observer = None
            self._notice.not_recording(f"{type(error).__name__}: {error}")

    def _open(self, config: MonitoringConfig, name: str | None, command: list[str]) -> None:
        known_as = name or command_name(command)
        self._recorder = recorder = open_recorder(config, label=known_as)
        if not recorder.enabled:
            return
        if recorder.last_error is not None:
            self._notice.not_recording(recorder.last_error)
        peers = Peers(
            f"{recorder.writer}-c1",
            server=known_as,
            server_may_say=name is None,
            environment=config.environment,
        )

        def lost() -> None:
            self._notice.not_recording(recorder.last_error or ", ".join(recorder.losses))

        self.observer = Observer(recorder, SystemClock(), peers, lost=lost)
        recorder.connections_changed(1)

    def close(self) -> None:
        """Seal the spool, and give a notice a moment to come out."""
        if self._recorder is not None:
            self._recorder.close()
        self._notice.wait()


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
