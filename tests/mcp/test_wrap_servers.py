"""`wrap` before real servers from packages and before one that asks back, in both eras."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from tests.mcp.relay_support import ENVIRONMENT, SERVERS, recorded, wrapped

BUSY = [sys.executable, str(SERVERS / "busy_server.py")]
TIME = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]
GIT = [sys.executable, "-m", "mcp_server_git"]
ERAS = ["legacy", "2026-07-28"]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit and one file that is not committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    (folder / "new.txt").write_text("one\ntwo\n")
    return folder


@pytest.fixture
def errors(tmp_path: Path) -> Iterator[TextIO]:
    """Where servers write their error stream."""
    with (tmp_path / "errors.txt").open("a") as file:
        yield file


def conversation(era: str, calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the messages of a client that makes these requests, one after the other."""
    meta = {} if era == "legacy" else {"_meta": META}
    messages: list[dict[str, Any]] = []
    if era == "legacy":
        info = {"name": "raw", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        messages.append({"id": 0, "method": "initialize", "params": hello})
        messages.append({"method": "notifications/initialized"})
    for number, (method, params) in enumerate(calls, 1):
        messages.append({"id": number, "method": method, "params": {**params, **meta}})
    return [{"jsonrpc": "2.0", **message} for message in messages]


def answers(command: list[str], messages: list[dict[str, Any]]) -> list[bytes]:
    """Send each message, wait for its answer, and return the answers' bytes."""
    lines = []
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in messages:
            server.stdin.write(json.dumps(message).encode() + b"\n")
            server.stdin.flush()
            if "id" in message:
                lines.append(server.stdout.readline())
        server.stdin.close()
        assert server.stdout.read() == b""
    return lines


@pytest.mark.requirement(
    "spine:shown:real-servers",
    "spine:shown:real-rows",
    "spine:wrap:byte-exact",
    "002:order:existing-tools",
    "002:ok:integration",
)
@pytest.mark.servers
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("package", ["mcp-server-time", "mcp-server-git"])
def test_a_server_from_a_package_answers_the_same_bytes_and_every_request_is_recorded(
    tmp_path: Path, repository: Path, package: str, era: str
) -> None:
    noon = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    where = {"repo_path": str(repository)}
    command, calls = {
        "mcp-server-time": (
            TIME,
            [
                ("tools/list", {}),
                ("tools/call", {"name": "convert_time", "arguments": noon}),
                ("tools/call", {"name": "convert_time", "arguments": {**noon, "time": "25:99"}}),
                ("prompts/list", {}),
                ("no/such", {}),
            ],
        ),
        "mcp-server-git": (
            GIT,
            [
                ("tools/list", {}),
                ("tools/call", {"name": "git_status", "arguments": where}),
                ("tools/call", {"name": "git_log", "arguments": where}),
                ("tools/call", {"name": "git_show", "arguments": {**where, "revision": "nope"}}),
                ("tools/call", {"name": "no_such_tool", "arguments": {}}),
            ],
        ),
    }[package]
    messages = conversation(era, calls)

    direct = answers(command, messages)
    through = answers(wrapped(tmp_path / "store", command), messages)

    assert through == direct
    asked = [message for message in messages if "id" in message]
    requests = [r for r in recorded(tmp_path / "store") if r.kind == "request"]
    assert [
        (r.operation_type, r.target, r.request_size, r.result_size, r.status) for r in requests
    ] == [
        (
            message["method"],
            message["params"].get("name"),
            len(json.dumps(message)),
            len(answer.rstrip(b"\n")),
            status_of(answer),
        )
        for message, answer in zip(asked, direct, strict=True)
    ]
    notifications = [r.operation_type for r in recorded(tmp_path / "store") if r not in requests]
    assert notifications == (["notifications/initialized"] if era == "legacy" else [])
    assert {(r.origin.agent_id, r.origin.protocol_version) for r in requests} == {
        ("raw", "2025-11-25" if era == "legacy" else "2026-07-28")
    }


def status_of(answer: bytes) -> str:
    message = json.loads(answer)
    failed = "error" in message or message["result"].get("isError", False)
    return "error" if failed else "success"


@pytest.mark.servers
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_the_sdk_gets_the_same_answers(
    tmp_path: Path, errors: TextIO, repository: Path, era: str
) -> None:
    async def told(command: list[str]) -> list[str]:
        async with Client(transport(errors, command), mode=era) as client:
            tools = await client.list_tools()
            status = await client.call_tool("git_status", {"repo_path": str(repository)})
            log = await client.call_tool("git_log", {"repo_path": str(repository)})
        return [answer.model_dump_json() for answer in (tools, status, log)]

    with anyio.fail_after(60):
        direct = await told(GIT)
        through = await told(wrapped(tmp_path / "store", GIT))

    assert through == direct
    calls = [r for r in recorded(tmp_path / "store") if r.operation_type == "tools/call"]
    assert [(r.target, r.status, r.origin.server) for r in calls] == [
        ("git_status", "success", "mcp-git"),
        ("git_log", "success", "mcp-git"),
    ]


def transport(errors: TextIO, command: list[str]) -> Any:
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=ENVIRONMENT)
    return stdio_client(parameters, errlog=errors)


@pytest.mark.requirement("spine:wrap:fields")
@pytest.mark.parametrize("era", ERAS)
async def test_progress_cancellation_timeout_and_failure_are_told_apart(
    tmp_path: Path, errors: TextIO, era: str
) -> None:
    async def listen(*_: Any) -> None:
        return

    command = wrapped(tmp_path / "store", BUSY)
    with anyio.fail_after(60):
        async with Client(transport(errors, command), mode=era) as client:
            await client.call_tool("add", {"a": 1, "b": 2}, meta={"agent_id": "planner"})
            await client.call_tool("fail", {"reason": "x"})
            await client.call_tool("climb", {"steps": 3}, progress_callback=listen)
            with pytest.raises(MCPError):
                await client.call_tool("wait_for_ever", {}, read_timeout_seconds=0.2)
            with anyio.move_on_after(0.2):
                await client.call_tool("wait_for_ever", {})
            with pytest.raises(MCPError):
                await client.read_resource("x://nothing?key=1")
            with pytest.raises(MCPError):
                await client.call_tool("die", {})

    records = recorded(tmp_path / "store")
    told = [r for r in records if r.operation_type in {"tools/call", "resources/read"}]
    assert [(r.target, r.status, r.error_type, r.origin.agent_id) for r in told] == [
        ("add", "success", None, "planner"),
        ("fail", "error", "tool_error", "mcp"),
        ("climb", "success", None, "mcp"),
        ("wait_for_ever", "timeout", "client_timeout", "mcp"),
        ("wait_for_ever", "cancelled", None, "mcp"),
        ("x://nothing", "error", "-32602", "mcp"),
        ("die", "error", "ServerExited", "mcp"),
    ]
    notices = Counter((r.operation_type, r.direction) for r in records if r.kind == "notification")
    assert (notices["notifications/progress", "out"], notices["notifications/cancelled", "in"]) == (
        3,
        2,
    )
    assert {r.origin.server for r in records} == {"busy"}


async def test_a_question_to_the_client_is_an_operation_that_goes_out(
    tmp_path: Path, errors: TextIO
) -> None:
    async def sample(_context: Any, _params: Any) -> types.CreateMessageResult:
        content = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    command = wrapped(tmp_path / "store", BUSY)
    with anyio.fail_after(60):
        async with Client(
            transport(errors, command), mode="legacy", sampling_callback=sample
        ) as client:
            answer = await client.call_tool("ask", {"question": "six times seven?"})

    assert answer.structured_content == {"result": "42"}
    inner, outer = (
        next(r for r in recorded(tmp_path / "store") if r.operation_type == method)
        for method in ("sampling/createMessage", "tools/call")
    )
    assert (inner.direction, inner.status, outer.direction, outer.status) == (
        "out",
        "success",
        "in",
        "success",
    )
    assert inner.duration_ms is not None
    assert outer.duration_ms is not None
    assert 0 < inner.duration_ms < outer.duration_ms
