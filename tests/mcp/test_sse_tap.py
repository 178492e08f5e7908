"""What the HTTP+SSE transport refuses is recorded, each message once, whichever layer sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.loopback import served
from tests.mcp.toys import CLIENT, high_toy
from tests.support import operations, recording

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:.*SSE.*")]

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
JSON = {"Content-Type": "application/json"}
HANDSHAKE = [
    ("request", "initialize", "success", None, None),
    ("notification", "notifications/initialized", "success", None, None),
]


def came(store: Path) -> list[tuple[Any, ...]]:
    return [
        (o.kind, o.operation_type, o.status, o.error_type, o.status_code) for o in operations(store)
    ]


REFUSALS: dict[str, tuple[str, str, dict[str, str], tuple[str, str, int]]] = {
    "no session": ("POST", "/messages/", {}, ("ping", "http_400", 400)),
    "no such session": ("POST", f"/messages/?session_id={'0' * 32}", {}, ("ping", "http_404", 404)),
    "another host": ("POST", "/messages/", {"Host": "evil.example"}, ("ping", "http_421", 421)),
    "no stream for another host": (
        "GET",
        "/sse",
        {"Host": "evil.example"},
        ("http/GET", "http_421", 421),
    ),
    "another verb": ("PUT", "/messages/", {}, ("http/PUT", "http_405", 405)),
}


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.requirement("doors:wire:http-refusals")
async def test_what_is_refused_is_recorded_once(tmp_path: Path, why: str) -> None:
    verb, path, headers, (method, error_type, code) = REFUSALS[why]
    answers = []
    with recording(tmp_path) as monitor:
        for server in (high_toy(), instrument(high_toy(), monitor)):
            async with served(server.sse_app()) as url, httpx2.AsyncClient() as http:
                content = PING if verb != "GET" else ""
                answer = await http.request(
                    verb, url + path, headers={**JSON, **headers}, content=content
                )
                answers.append((answer.status_code, answer.content))

    assert answers[0] == answers[1]
    assert came(tmp_path) == [("request", method, "error", error_type, code)]
    assert [o.origin.transport for o in operations(tmp_path)] == ["sse"]


@pytest.mark.requirement("doors:wire:once", "doors:wire:http-parse")
async def test_a_body_that_no_one_can_read_is_recorded_by_one_layer_only(tmp_path: Path) -> None:
    posted: list[httpx2.Response] = []

    class Spy(httpx2.AsyncClient):
        """Posts a line that is no message ahead of the client's first."""

        async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
            if request.method == "POST" and request.content != b"{" and not posted:
                posted.append(await self.post(request.url, content="{", headers=JSON))
            return await super().send(request, **more)

    def spying(**settings: Any) -> httpx2.AsyncClient:
        return Spy(**{key: value for key, value in settings.items() if value is not None})

    with recording(tmp_path) as monitor:
        app = instrument(high_toy(), monitor).sse_app()
        async with served(app) as url:
            way = sse_client(f"{url}/sse", httpx_client_factory=spying)
            async with Client(way, mode="legacy", client_info=CLIENT):
                pass
    assert [answer.status_code for answer in posted] == [400]
    assert came(tmp_path) == [
        ("request", "unparsable", "error", "ParseError", -32700),
        *HANDSHAKE,
    ]


async def test_a_header_of_the_modern_era_drops_nothing_here(tmp_path: Path) -> None:
    headers = {"MCP-Protocol-Version": "2026-07-28"}
    with recording(tmp_path) as monitor:
        app = instrument(high_toy(), monitor).sse_app(message_path="/box/", sse_path="/events")
        async with served(app) as url:
            way = sse_client(f"{url}/events", headers=headers)
            async with Client(way, mode="legacy", client_info=CLIENT):
                pass
    assert came(tmp_path) == HANDSHAKE
