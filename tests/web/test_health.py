"""Probes and the scrape, on the same port."""

from __future__ import annotations

from pathlib import Path

import httpx2

from contextframe_monitoring import Monitor
from contextframe_monitoring.keeper import drain_once
from contextframe_monitoring.mcp.serve import http_app
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.web.app import web_app
from tests.web.conftest import BASE


async def test_a_process_that_runs_is_live_and_ready_once_a_keeper_is_known(
    http: httpx2.AsyncClient, store: Path
) -> None:
    assert (await http.get("/health/live")).status_code == 200
    early = await http.get("/health/ready")
    assert (early.status_code, early.json()["message"]) == (
        503,
        "no keeper is known to this store yet",
    )
    drain_once(Store(str(store)))
    late = await http.get("/health/ready")
    assert (late.status_code, late.json()) == (200, {"status": "ok"})


async def test_a_store_that_cannot_be_used_is_not_ready(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    store.make_folders()
    (store.state_folder / "state.db").write_bytes(b"no database" * 100)
    with Monitor.open(store=store.uri, start_keeper=False, name="web") as monitor:
        app = web_app(monitor, http_app(monitor, "127.0.0.1"))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 503


async def test_the_scrape_answers_in_the_format_that_is_accepted(http: httpx2.AsyncClient) -> None:
    plain = await http.get("/metrics")
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/plain")
    accept = "application/openmetrics-text; version=1.0.0"
    modern = await http.get("/metrics", headers={"accept": accept})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
