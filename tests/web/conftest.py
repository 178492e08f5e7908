"""The app as a client sees it, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.mcp.serve import http_app
from contextframe_monitoring.web.app import web_app

BASE = "http://127.0.0.1:8765"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def http(store: Path) -> AsyncIterator[httpx2.AsyncClient]:
    with Monitor.open(store=str(store), start_keeper=False, name="web") as monitor:
        app = web_app(monitor, http_app(monitor, "127.0.0.1"))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
            yield client
