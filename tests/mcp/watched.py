"""A connection whose messages are given by a test."""

import json
from pathlib import Path
from typing import Any

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.mcp.call import Direction
from contextframe_monitoring.mcp.lines import LongLine
from contextframe_monitoring.mcp.observer import Observer
from contextframe_monitoring.mcp.peers import Peers, ServerName
from tests.mcp.relay_support import recorded

MS = 1_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


class ManualClock:
    """A clock that stands still."""

    def now_us(self) -> int:
        return 1_700_000_000_000_000

    def monotonic_ns(self) -> int:
        return 0


class Watched:
    """A connection whose messages are given by the test."""

    def __init__(self, store: Path, **options: Any) -> None:
        config = MonitoringConfig(store=str(store), start_keeper=False)
        self.store = store
        self.recorder: Recorder = open_recorder(config)
        self.peers = Peers(
            "session",
            ServerName(options.pop("server", "named"), may_say=options.pop("may", False)),
        )
        self.observer = Observer(self.recorder, ManualClock(), self.peers, **options)

    def client(self, message: Any, at_ms: float = 0) -> int:
        return self._see("in", message, at_ms)

    def server(self, message: Any, at_ms: float = 0) -> int:
        return self._see("out", message, at_ms)

    def _see(self, direction: Direction, message: Any, at_ms: float) -> int:
        line = message if isinstance(message, bytes | LongLine) else json.dumps(message).encode()
        self.observer.see(direction, line, int(at_ms * MS))
        return line.size if isinstance(line, LongLine) else len(line)

    def records(self) -> list[OperationRecord]:
        return recorded(self.store)

    def said(self) -> list[tuple[str, str, str | None, str]]:
        return [(r.operation_type, r.status, r.error_type, r.direction) for r in self.records()]


def request(number: Any, method: str = "tools/call", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(number: Any, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": members}


def error(number: Any, code: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": "secret"}}


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}
