"""The conformance suite of the protocol finds the same through `wrap --http` as without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mcp.conformance import checks
from tests.mcp.http_support import busy, relayed, running
from tests.mcp.installed import node_server
from tests.mcp.relay_support import ENVIRONMENT
from tests.processes import free_port


@contextmanager
def everything() -> Iterator[str]:
    port = free_port()
    with running([*node_server("server-everything"), "streamableHttp"], port, PORT=str(port)):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.mark.node
@pytest.mark.parametrize(
    ("version", "scenarios_min"), [("2025-11-25", 30), ("2026-07-28", 30)], ids=["old", "new"]
)
@pytest.mark.requirement("doors:wire:conformance", "doors:shown:suites")
def test_the_suite_finds_the_same_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, scenarios_min: int
) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    with everything() if version == "2025-11-25" else busy() as url:
        direct = checks(url, version, tmp_path / "direct")
        with relayed(tmp_path / "store", url) as relay:
            through = checks(relay.url, version, tmp_path / "through")
        records = relay.records()

    # the proxy refuses foreign hosts itself: a server that does not is safer behind it
    assert through.pop("dns-rebinding-protection") == (2, 0)
    direct.pop("dns-rebinding-protection")
    assert through == direct
    assert len(direct) >= scenarios_min
    assert len(records) > len(direct)
