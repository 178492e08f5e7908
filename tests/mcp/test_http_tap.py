"""What streamable HTTP refuses, drops or streams is recorded too, each message once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from pydantic import AnyHttpUrl
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from contextframe_monitoring.mcp.http_tap import ANSWER_BYTES_MAX, BODY_BYTES_MAX, HttpTap
from contextframe_monitoring.mcp.instrument import instrument
from contextframe_monitoring.mcp.middleware import MonitorMiddleware
from tests.mcp.loopback import served
from tests.mcp.toys import CLIENT, MODES, high_toy, low_toy
from tests.support import operations, recording

pytestmark = pytest.mark.anyio

MODERN = "2026-07-28"
BOTH = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def modern(method: str, **headers: str) -> dict[str, str]:
    return {**BOTH, "MCP-Protocol-Version": MODERN, "Mcp-Method": method, **headers}


def body(method: str, number: int | None = 1, **params: Any) -> str:
    number_or_none = {} if number is None else {"id": number}
    return json.dumps({"jsonrpc": "2.0", **number_or_none, "method": method, "params": params})


def came(store: Path) -> list[tuple[Any, ...]]:
    """Return what was recorded, and how it ended."""
    return [
        (o.kind, o.operation_type, o.status, o.error_type, o.status_code) for o in operations(store)
    ]


LIST = body("tools/list", _meta=ENVELOPE)
THERE = {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
OTHER_VERSION = {**modern("tools/list"), "MCP-Protocol-Version": "2031-01-01"}
REFUSALS: dict[str, tuple[str, dict[str, str], str, tuple[str, str, int]]] = {
    "no JSON": ("POST", modern("tools/list"), "{", ("tools/list", "ParseError", 400)),
    "no JSON, handshake era": ("POST", BOTH, "{", ("http/POST", "ParseError", 400)),
    "no message": ("POST", modern("tools/list"), "[]", ("tools/list", "-32600", 400)),
    "no session": (
        "POST", {**BOTH, "Mcp-Session-Id": "lost"}, body("tools/list"),
        ("tools/list", "-32600", 404),
    ),
    "no handshake": ("POST", BOTH, body("tools/list"), ("tools/list", "-32600", 400)),
    "no envelope": (
        "POST", modern("tools/list"), body("tools/list"), ("tools/list", "-32602", 400),
    ),
    "another header": ("POST", modern("tools/call"), LIST, ("tools/list", "-32020", 400)),
    "another version": (
        "POST", OTHER_VERSION, body("tools/list", _meta=THERE), ("tools/list", "-32022", 400),
    ),
    "another host": (
        "POST", modern("tools/list", Host="evil.example"), LIST, ("tools/list", "http_421", 421),
    ),
    "another origin": (
        "POST", modern("tools/list", Origin="http://evil.example"), LIST,
        ("tools/list", "http_403", 403),
    ),
    "another verb": ("PUT", modern(""), "", ("http/PUT", "http_405", 405)),
    "an invented verb": ("BREW", modern(""), "", ("http/other", "http_405", 405)),
    "not acceptable": (
        "POST", {**modern("tools/list"), "Accept": "text/html"}, LIST,
        ("tools/list", "http_406", 406),
    ),
    "too large": (
        "POST", modern("tools/call"), body("tools/call", text="x" * (5 << 20)),
        ("tools/call", "http_413", 413),
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.requirement("doors:wire:http-refusals", "doors:wire:http-parse")
async def test_what_is_refused_is_recorded_once(tmp_path: Path, why: str) -> None:
    verb, headers, content, wanted = REFUSALS[why]
    answers: list[tuple[int, bytes]] = []
    with recording(tmp_path) as monitor:
        for server in (high_toy(), instrument(high_toy(), monitor)):
            async with served(server.streamable_http_app()) as url, httpx2.AsyncClient() as http:
                answer = await http.request(verb, f"{url}/mcp", headers=headers, content=content)
                answers.append((answer.status_code, answer.content))

    assert answers[0] == answers[1]
    method, error_type, code = wanted
    assert answers[0][0] == code
    assert came(tmp_path) == [("request", method, "error", error_type, code)]
    (refused,) = operations(tmp_path)
    assert (refused.origin.server, refused.origin.transport) == ("toy", "streamable-http")
    assert refused.duration_ms is not None


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
@pytest.mark.requirement("doors:wire:http-refusals")
async def test_what_the_protocol_lets_a_server_decline_is_no_failure(
    tmp_path: Path, verb: str
) -> None:
    with recording(tmp_path) as monitor:
        app = instrument(low_toy(), monitor).streamable_http_app()
        async with served(app) as url, httpx2.AsyncClient() as http:
            for content in ("", LIST):
                headers = modern("tools/list" if content else "")
                answer = await http.request(verb, f"{url}/mcp", headers=headers, content=content)
                assert answer.status_code == 405
    assert came(tmp_path) == [
        ("request", f"http/{verb}", "success", None, 405),
        ("request", "tools/list", "error", "http_405", 405),
    ]
    assert [o.duration_ms is None for o in operations(tmp_path)] == [True, False]


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_in_good_order_leaves_only_what_it_did(tmp_path: Path, mode: str) -> None:
    with recording(tmp_path) as monitor:
        app = instrument(low_toy(), monitor).streamable_http_app()
        async with served(app) as url, Client(f"{url}/mcp", mode=mode, client_info=CLIENT) as c:
            await c.call_tool("add", {"a": 1, "b": 2})
    opening = {
        "auto": [("request", "server/discover")],
        "legacy": [("request", "initialize"), ("notification", "notifications/initialized")],
    }[mode]
    found = [entry[:2] for entry in came(tmp_path) if entry[1] != "tools/list"]
    assert found == [*opening, ("request", "tools/call")]


@pytest.mark.requirement("doors:wire:dropped")
async def test_a_notification_that_the_modern_era_drops_is_recorded(tmp_path: Path) -> None:
    content = body("notifications/cancelled", None, requestId=7)
    with recording(tmp_path) as monitor:
        app = instrument(low_toy(), monitor).streamable_http_app()
        async with served(app) as url, httpx2.AsyncClient() as http:
            headers = modern("notifications/cancelled")
            answer = await http.post(f"{url}/mcp", headers=headers, content=content)
    assert answer.status_code == 202
    assert came(tmp_path) == [("notification", "notifications/cancelled", "success", None, None)]
    (dropped,) = operations(tmp_path)
    assert (dropped.duration_ms, dropped.origin.protocol_version) == (None, MODERN)


@pytest.mark.requirement("doors:wire:once")
async def test_what_the_handler_answers_with_an_error_is_not_recorded_again(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        app = instrument(low_toy(), monitor).streamable_http_app()
        async with served(app) as url, httpx2.AsyncClient() as http:
            content = body("nobody/knows", _meta=ENVELOPE)
            headers = modern("nobody/knows")
            answer = await http.post(f"{url}/mcp", headers=headers, content=content)
    assert answer.status_code == 404
    assert came(tmp_path) == [("request", "nobody/knows", "error", "-32601", -32601)]


class NoToken:
    """Knows no token at all."""

    async def verify_token(self, token: str) -> AccessToken | None:
        return None


@pytest.mark.requirement("doors:wire:http-refusals")
async def test_a_stranger_without_a_token_is_recorded(tmp_path: Path) -> None:
    url = AnyHttpUrl("http://127.0.0.1/")
    auth = AuthSettings(
        issuer_url=url, resource_server_url=url, required_scopes=[], validate_token_resource=False
    )
    server = MCPServer("toy", auth=auth, token_verifier=NoToken())
    with recording(tmp_path) as monitor:
        app = instrument(server, monitor).streamable_http_app()
        async with served(app) as base, httpx2.AsyncClient() as http:
            await http.post(f"{base}/mcp", headers=BOTH, content=LIST)
            await http.post(f"{base}/mcp", headers=modern("tools/list"), content=LIST)
            await http.get(f"{base}/elsewhere")
    assert [(kind, status, code) for kind, _, status, _, code in came(tmp_path)] == [
        ("request", "error", 401),
        ("request", "error", 401),
    ]
    assert [o.operation_type for o in operations(tmp_path)] == ["http/POST", "tools/list"]


@pytest.mark.requirement("doors:wire:outbound")
async def test_what_is_sent_on_a_modern_stream_is_recorded(tmp_path: Path) -> None:
    server = MCPServer("toy", version="1")

    @server.tool()
    async def slow(ctx: Context) -> str:
        await ctx.report_progress(1, 2)
        await ctx.report_progress(2, 2)
        return "done"

    async def progressed(*_: object) -> None:
        """Take progress and do nothing with it."""

    with recording(tmp_path) as monitor:
        app = instrument(server, monitor).streamable_http_app()
        async with served(app) as url, Client(f"{url}/mcp", client_info=CLIENT) as client:
            await client.call_tool("slow", {}, progress_callback=progressed)

    found = [o for o in operations(tmp_path) if o.direction == "out"]
    assert [(o.kind, o.operation_type, o.duration_ms) for o in found] == [
        ("notification", "notifications/progress", None)
    ] * 2
    assert {(o.origin.agent_id, o.origin.transport) for o in found} == {
        ("agent-7", "streamable-http")
    }


@pytest.mark.requirement("doors:wire:once")
async def test_two_monitors_see_a_refusal_once_each(tmp_path: Path) -> None:
    with recording(tmp_path / "one") as one, recording(tmp_path / "two") as two:
        server = instrument(instrument(instrument(low_toy(), one), two), one)
        async with served(server.streamable_http_app()) as url, httpx2.AsyncClient() as http:
            await http.post(f"{url}/mcp", headers=modern("tools/list"), content="{")
    for store in ("one", "two"):
        assert [code for *_, code in came(tmp_path / store)] == [400]


async def exchanged(app: Any, content: bytes) -> list[Any]:
    """Hand a request to an ASGI application without a network; return what it sent."""
    found: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": []}
    given = iter([{"type": "http.request", "body": content, "more_body": False}])

    async def receive() -> Any:
        return next(given)

    async def send(message: Any) -> None:
        found.append(message)

    with anyio.fail_after(10):
        await app(scope, receive, send)
    return found


def wires_of(server: Any) -> Any:
    middleware = server.middleware[0]
    assert isinstance(middleware, MonitorMiddleware)
    return middleware.wires


async def test_bodies_and_answers_are_only_read_up_to_a_bound(tmp_path: Path) -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        text = json.dumps({"error": {"code": -1, "message": "x" * ANSWER_BYTES_MAX}})
        await PlainTextResponse(text, status_code=400)(scope, receive, send)

    long = body("tools/call", text="x" * BODY_BYTES_MAX).encode()
    with recording(tmp_path) as monitor:
        wires = wires_of(instrument(low_toy(), monitor))
        await exchanged(HttpTap(refuses, paths=("/mcp",), wires=wires), long)
    assert came(tmp_path) == [("request", "http/POST", "error", "http_400", 400)]


async def test_an_application_that_crashes_behind_its_refusal_is_that_refusal(
    tmp_path: Path,
) -> None:
    async def crashes(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("another host", status_code=421)(scope, receive, send)
        raise LookupError("no such thing")

    with recording(tmp_path) as monitor:
        wires = wires_of(instrument(low_toy(), monitor))
        with pytest.raises(LookupError, match="no such thing"):
            await exchanged(HttpTap(crashes, paths=("/mcp",), wires=wires), b"")
    assert came(tmp_path) == [("request", "http/POST", "error", "http_421", 421)]


async def test_an_application_that_crashes_is_recorded_and_crashes_as_before(
    tmp_path: Path,
) -> None:
    async def crashes(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        raise LookupError("no such thing")

    with recording(tmp_path) as monitor:
        wires = wires_of(instrument(low_toy(), monitor))
        with pytest.raises(LookupError, match="no such thing"):
            await exchanged(HttpTap(crashes, paths=("/mcp",), wires=wires), b"")
    assert came(tmp_path) == [("request", "http/POST", "error", "LookupError", 500)]


async def test_a_fault_of_ours_is_counted_and_the_answer_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("contextframe_monitoring.mcp.http_tap._Exchange._frame", fails)
    monkeypatch.setattr("contextframe_monitoring.mcp.http_tap._Exchange._event", fails)
    with recording(tmp_path) as monitor:
        app = instrument(low_toy(), monitor).streamable_http_app()
        async with served(app) as url, httpx2.AsyncClient() as http:
            answer = await http.post(f"{url}/mcp", headers=modern("tools/list"), content="{")
        assert answer.status_code == 400
        assert monitor.recorder.losses == {"invalid": 1}
