"""`serve` as a process: stdio and streamable HTTP, both eras, with the keeper beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.address import loopback_address
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.store.store import Store
from tests.processes import free_port, listens, run, started, until

ERAS = ["auto", "legacy"]


def record(store: str, count: int) -> None:
    with Monitor.open(store=store, name="app", start_keeper=False) as monitor:
        for _ in range(count):
            with monitor.performance.operation("tool_call", "add"):
                pass


async def total(client: Client) -> int:
    result = await client.call_tool("get_performance_metrics", {})
    assert not result.is_error
    return int(result.structured_content["total_operations"])


@pytest.mark.requirement(
    "spine:serve:stdio-and-http",
    "spine:shown:serve-clients",
    "003:desc:realtime",
    "spine:readers:fresh",
)
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_asks_over_stdio(tmp_path: Path, era: Any) -> None:
    store = str(tmp_path / "store")
    record(store, 7)
    command = ["-m", "contextframe_monitoring", "serve", "--store", store]
    parameters = StdioServerParameters(command=sys.executable, args=command)
    async with Client(parameters, mode=era) as client:
        assert await total(client) == 7
        record(store, 5)  # a reader sees what was acknowledged before it asked
        assert await total(client) == 12


@pytest.mark.requirement(
    "spine:serve:stdio-and-http",
    "spine:shown:serve-clients",
    "spine:keeper:in-serve",
    "spine:readers:complete",
)
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_asks_over_http_and_the_keeper_drains(tmp_path: Path, era: Any) -> None:
    store, port = str(tmp_path / "store"), free_port()
    record(store, 7)
    with started("serve", "--http", f"127.0.0.1:{port}", "--store", store):
        until(lambda: listens(port))
        async with Client(f"http://127.0.0.1:{port}/mcp", mode=era) as client:
            assert await total(client) == 7
            tables = Store(store).tables
            until(lambda: tables.count("performance_metrics") >= 7)
            assert await total(client) == 7
            status = await client.call_tool("get_monitoring_status", {})
            assert status.structured_content["keeper"]["alive"] is True


@pytest.mark.parametrize(
    "address", ["0.0.0.0:80", "example.org:80", "8080", "127.0.0.1:x", "127.0.0.1:0", ":1"]
)
def test_an_address_that_is_not_loopback_is_refused(address: str) -> None:
    with pytest.raises(InvalidError, match="is not allowed: expected"):
        loopback_address(address)


def test_loopback_addresses_are_taken() -> None:
    assert loopback_address("localhost:80") == ("localhost", 80)
    assert loopback_address("[::1]:8080") == ("::1", 8080)
    assert loopback_address("127.0.0.1:65535") == ("127.0.0.1", 65535)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    port = free_port()
    with started("serve", "--http", f"127.0.0.1:{port}", "--store", str(tmp_path / "a")):
        until(lambda: listens(port))
        second = run("serve", "--http", f"127.0.0.1:{port}", "--store", str(tmp_path / "b"))
    assert second.returncode == 1
    assert "can't be used: is another server listening there?" in second.stderr


def test_nothing_but_the_protocol_goes_to_stdout(tmp_path: Path) -> None:
    done = run("serve", "--store", str(tmp_path / "store"), stdin="not json\n")
    assert all(line.startswith("{") for line in done.stdout.splitlines())


def test_a_keeper_in_trouble_is_logged_and_so_is_its_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, log = tmp_path / "store", tmp_path / "app.log"
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_LOGGING__FILE", str(log))
    state = Store(str(store)).state_folder / "state.db"
    Store(str(store)).make_folders()
    state.write_bytes(b"no database" * 100)
    with started("serve", "--http", f"127.0.0.1:{free_port()}", "--store", str(store)):
        until(lambda: log.exists() and '"message":"keeper.failed"' in log.read_text())
        state.unlink()
        until(lambda: '"message":"keeper.recovered"' in log.read_text())
