"""`wrap` before servers in Node and for mcp 1.x: the same bytes, and each message recorded."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from tests.mcp.http_support import relayed, running
from tests.mcp.installed import (
    converse,
    handshake,
    node_server,
    program,
    requests,
    status_of,
)
from tests.mcp.relay_support import ENVIRONMENT, recorded, wrapped
from tests.processes import free_port

SAMPLE = {
    "role": "assistant",
    "content": {"type": "text", "text": "forty-two"},
    "model": "m",
    "stopReason": "endTurn",
}


@pytest.fixture(autouse=True)
def _no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])


def tool(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return "tools/call", {"name": name, "arguments": arguments}


def everything(_: Path) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
    return node_server("server-everything"), [
        ("tools/list", {}),
        tool("echo", message="Grüße"),
        tool("get-sum", a=1, b=2),
        tool("get-sum", a="one"),
        tool("get-tiny-image"),
        tool("get-structured-content", location="Chicago"),
        tool("no-such-tool"),
        tool("trigger-sampling-request", prompt="why?", maxTokens=10),
        ("prompts/list", {}),
        ("resources/list", {}),
        ("resources/read", {"uri": "no://such?key=1"}),
        ("ping", {}),
        ("no/such", {}),
    ]


def filesystem(folder: Path) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
    (folder / "notes.txt").write_text("one\ntwo\n")
    return node_server("server-filesystem", str(folder)), [
        ("tools/list", {}),
        tool("list_directory", path=str(folder)),
        tool("read_text_file", path=str(folder / "notes.txt")),
        tool("read_text_file", path=str(folder / "none.txt")),
        tool("read_text_file", path="/etc/hostname"),
        tool("search_files", path=str(folder), pattern="*.txt"),
        tool("write_file", path=str(folder / "new.txt"), content="x" * 300_000),
        tool("read_text_file", path=str(folder / "new.txt")),
    ]


def sqlite(folder: Path) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
    database = folder / f"{len(list(folder.iterdir()))}.db"
    return [program("mcp1", "mcp-server-sqlite"), "--db-path", str(database)], [
        ("tools/list", {}),
        tool("create_table", query="CREATE TABLE books (title TEXT)"),
        tool("write_query", query="INSERT INTO books VALUES ('Emma')"),
        tool("read_query", query="SELECT title FROM books"),
        tool("read_query", query="DROP TABLE books"),
        tool("list_tables"),
        ("resources/list", {}),
        ("prompts/list", {}),
        ("no/such", {}),
    ]


@pytest.mark.parametrize(
    ("made", "name"),
    [
        pytest.param(everything, "mcp-servers/everything", marks=pytest.mark.node),
        pytest.param(filesystem, "secure-filesystem-server", marks=pytest.mark.node),
        pytest.param(sqlite, "sqlite", marks=pytest.mark.servers),
    ],
    ids=["everything", "filesystem", "sqlite"],
)
@pytest.mark.requirement("doors:servers:node", "doors:servers:sqlite")
def test_the_bytes_are_the_same_and_every_request_is_a_row(
    tmp_path: Path, made: Any, name: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    command, calls = made(folder)
    messages = [*handshake(), *requests(calls)]
    direct = converse(command, messages, SAMPLE)
    (folder / "new.txt").unlink(missing_ok=True)
    command, _ = made(folder)

    through = converse(wrapped(tmp_path / "store", command), messages, SAMPLE)

    assert through.answers == direct.answers
    assert through.asked == direct.asked
    records = recorded(tmp_path / "store")
    asked = [message for message in messages if "id" in message]
    found = [
        (r.operation_type, r.request_size, r.result_size, r.status)
        for r in records
        if (r.kind, r.direction) == ("request", "in")
    ]
    wanted = [
        (m["method"], len(json.dumps(m)), len(answer) - 1, status_of(answer))
        for m, answer in zip(asked, direct.answers, strict=True)
    ]
    assert sorted(found) == sorted(wanted)
    outward = [r.operation_type for r in records if (r.kind, r.direction) == ("request", "out")]
    assert outward == [json.loads(line)["method"] for line in direct.asked]
    notices = Counter(r.operation_type for r in records if r.kind == "notification")
    assert notices == Counter(
        [
            "notifications/initialized",
            *(json.loads(n)["method"] for n in through.notices.elements()),
        ]
    )
    assert {r.origin.server for r in records if r.operation_type == "tools/call"} == {name}
    calls_made = [r for r in records if (r.operation_type, r.direction) == ("tools/call", "in")]
    assert [r.target for r in calls_made] == [p["name"] for m, p in calls if m == "tools/call"]
    succeeded = [r for r in calls_made if r.status == "success"]
    assert all(r.tokens_estimated and r.request_tokens is not None for r in succeeded)


@pytest.mark.node
@pytest.mark.requirement("doors:servers:node")
async def test_progress_cancellation_and_nested_sampling_in_node_are_paired(tmp_path: Path) -> None:
    progress: list[float] = []

    async def listen(done: float, *_: Any) -> None:
        progress.append(done)

    async def sample(_context: Any, _params: Any) -> types.CreateMessageResult:
        content = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    command = wrapped(tmp_path / "store", node_server("server-everything"))
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=ENVIRONMENT)
    slow = "trigger-long-running-operation"
    with anyio.fail_after(60), (tmp_path / "errors.txt").open("w") as errors:
        transport = stdio_client(parameters, errlog=errors)
        async with Client(transport, mode="legacy", sampling_callback=sample) as client:
            await client.call_tool(slow, {"duration": 0.3, "steps": 3}, progress_callback=listen)
            with pytest.raises(MCPError):
                await client.call_tool(slow, {"duration": 60, "steps": 1}, read_timeout_seconds=0.3)
            with anyio.move_on_after(0.3):
                await client.call_tool(slow, {"duration": 60, "steps": 1})
            answer = await client.call_tool("trigger-sampling-request", {"prompt": "why?"})

    assert "42" in str(answer.content)
    records = recorded(tmp_path / "store")
    calls = [r for r in records if r.operation_type == "tools/call"]
    assert [(r.target, r.status, r.error_type) for r in calls] == [
        (slow, "success", None),
        (slow, "timeout", "client_timeout"),
        (slow, "cancelled", None),
        ("trigger-sampling-request", "success", None),
    ]
    (inner,) = [r for r in records if r.operation_type == "sampling/createMessage"]
    assert (inner.direction, inner.status) == ("out", "success")
    assert inner.duration_ms is not None
    assert calls[-1].duration_ms is not None
    assert 0 < inner.duration_ms < calls[-1].duration_ms
    notices = Counter((r.operation_type, r.direction) for r in records if r.kind == "notification")
    assert notices["notifications/progress", "out"] == len(progress) == 3
    assert notices["notifications/cancelled", "in"] == 2


@pytest.mark.node
@pytest.mark.requirement("doors:servers:wrap-http")
async def test_a_node_server_over_http_answers_the_same_through_the_proxy(tmp_path: Path) -> None:
    async def sample(_context: Any, _params: Any) -> types.CreateMessageResult:
        content = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    async def told(url: str) -> list[str]:
        async with Client(url, mode="legacy", sampling_callback=sample) as client:
            answers = [
                await client.list_tools(),
                await client.call_tool("echo", {"message": "Grüße"}),
                await client.call_tool("get-sum", {"a": 1, "b": 2}),
                await client.call_tool("get-sum", {"a": "one"}),
                await client.call_tool("trigger-sampling-request", {"prompt": "why?"}),
            ]
        return [answer.model_dump_json() for answer in answers]

    port = free_port()
    command = [*node_server("server-everything"), "streamableHttp"]
    with anyio.fail_after(60), running(command, port, PORT=str(port)):
        url = f"http://127.0.0.1:{port}/mcp"
        direct = await told(url)
        with relayed(tmp_path, url) as relay:
            through = await told(relay.url)
        records = relay.records()

    assert through == direct
    calls = [r for r in records if r.operation_type == "tools/call"]
    assert [(r.target, r.status, r.origin.server, r.origin.agent_id) for r in calls] == [
        ("echo", "success", "mcp-servers/everything", "mcp"),
        ("get-sum", "success", "mcp-servers/everything", "mcp"),
        ("get-sum", "error", "mcp-servers/everything", "mcp"),
        ("trigger-sampling-request", "success", "mcp-servers/everything", "mcp"),
    ]
    (session,) = {r.origin.session_id for r in calls}
    assert session is not None
    assert len(session) == 36
    (inner,) = [r for r in records if r.operation_type == "sampling/createMessage"]
    assert (inner.direction, inner.status, inner.origin.session_id) == ("out", "success", session)


@pytest.mark.servers
@pytest.mark.requirement("doors:servers:mcp-1")
def test_beside_mcp_1_instrument_names_the_way_that_works(tmp_path: Path) -> None:
    python = program("mcp1", "python")
    done = subprocess.run(
        [python, "-c", "from contextframe_monitoring import instrument"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ENVIRONMENT["PYTHONPATH"]},
    )
    assert done.returncode == 1
    version = "1.30.0"
    assert done.stderr.splitlines()[-1] == (
        "contextframe_monitoring.core.errors.UnavailableError: instrument needs the MCP SDK 2.3 or"
        f" later, but mcp {version} is installed; a server written for mcp 1.x can be watched from"
        " outside, without a change: contextframe-monitoring wrap -- COMMAND"
    )
