"""Remote write: what a Prometheus server takes is what a scrape would give."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cramjam
import pytest

from contextframe_monitoring.export.targets.remote_write import request
from contextframe_monitoring.store.machine import SystemClock
from tests.export.servers import prometheus_server
from tests.export.stores import NOW_US, Filled, cost, operation
from tests.export.targets.conftest import To
from tests.export.targets.receivers import receiver


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    with prometheus_server(
        tmp_path, "global: {}\n", "--web.enable-remote-write-receiver"
    ) as address:
        yield address


def value(prometheus: str, query: str) -> list[str]:
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return [found["value"][1] for found in json.load(answer)["data"]["result"]]


def test_a_prometheus_server_takes_it(filled: Filled, to: To, prometheus: str) -> None:
    filled.drain(operation(), operation(), cost())
    now_us = SystemClock().now_us()
    state = to(type="remote_write", url=f"{prometheus}/api/v1/write").run(now_us)
    assert state is not None
    assert state.last_error is None
    assert value(prometheus, "contextframe_monitoring_cost_usd_total") == ["0.06"]
    assert value(prometheus, "mcp_server_operation_duration_seconds_count") == ["2"]
    assert value(
        prometheus, 'mcp_server_operation_duration_seconds_bucket{le="0.02",server="git"}'
    ) == ["2"]


def test_a_request_is_the_message_of_the_specification(filled: Filled, to: To) -> None:
    assert request([({"__name__": "a", "b": "", "c": "é"}, 1.5)], 300) == (
        b"\x0a\x2b\x0a\x0d\x0a\x08__name__\x12\x01a\x0a\x07\x0a\x01c\x12\x02\xc3\xa9"
        b"\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xac\x02"
    ).replace(b"\x0a\x2b", bytes([0x0A, 38]), 1)
    filled.drain(operation())
    with receiver(status=204) as service:
        state = to(type="remote_write", url=service.url, headers={"X-Scope-OrgID": "7"}).run(NOW_US)
        assert state is not None
        assert state.failures == 0
        [taken] = service.taken
    assert taken.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert (taken.headers["Content-Encoding"], taken.headers["X-Scope-OrgID"]) == ("snappy", "7")
    assert b"mcp_server_operation_duration_seconds_bucket" in bytes(
        cramjam.snappy.decompress_raw(taken.body)
    )
