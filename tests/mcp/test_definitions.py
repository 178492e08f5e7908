"""What tools put into the context: seen in answers to tools/list, told by `report cost`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer

from contextframe_monitoring import Monitor, instrument
from contextframe_monitoring.core.records import MetricRecord, OperationRecord, Origin
from contextframe_monitoring.mcp.definitions import TOOLS_MAX, Definitions
from contextframe_monitoring.mcp.line_tokens import LineTokens
from contextframe_monitoring.store.vocabulary import FileVocabulary
from tests.cli.test_commands import run
from tests.mcp.watched import Watched, request, result
from tests.support import recorded, word_vocabulary

SERVED = Origin(server="files")


def tools(**texts: str) -> dict[str, Any]:
    return {"tools": [{"name": name, "description": text} for name, text in texts.items()]}


def seen(definitions: Definitions, result: Any) -> dict[str, float]:
    return {record.attributes[0]: record.value for record in definitions.records(result, SERVED, 1)}


def test_only_what_is_new_is_a_sample() -> None:
    definitions = Definitions()
    first = seen(definitions, tools(read="Read a file.", write="Write a file."))
    assert set(first) == {"tool=read", "tool=write"}
    assert all(10 < tokens < 30 for tokens in first.values())
    assert seen(definitions, tools(read="Read a file.", write="Write a file.")) == {}
    grown = seen(definitions, tools(read="Read a file. " * 50, write="Write a file."))
    assert set(grown) == {"tool=read"}
    assert grown["tool=read"] > 100


def test_answers_that_are_no_lists_of_tools_have_no_samples() -> None:
    definitions = Definitions()
    odd: tuple[Any, ...] = (
        None, [], {}, {"tools": 3}, {"tools": [3, {}, {"name": 4}]},
    )  # fmt: skip
    assert [seen(definitions, result) for result in odd] == [{}] * len(odd)


def test_no_more_tools_are_remembered_than_the_limit() -> None:
    definitions = Definitions()
    for start in (0, TOOLS_MAX):
        found = seen(definitions, tools(**{f"t{start + n}": "x" for n in range(TOOLS_MAX)}))
        assert len(found) == (TOOLS_MAX if start == 0 else 0)


@pytest.mark.requirement("cost:tools:definitions", "cost:tools:by-tool")
async def test_a_report_by_tool_shows_definitions_results_and_tools_never_called(
    tmp_path: Path,
) -> None:
    store = str(tmp_path / "store")
    server = MCPServer("files")

    @server.tool()
    def read(path: str) -> str:
        """Read a file."""
        return f"{path}: " + "the quick brown fox jumps over the lazy dog " * 50

    @server.tool()
    def never(path: str) -> str:
        """Nobody calls this one."""
        return path

    with Monitor.open(store=store, start_keeper=False) as monitor:
        instrument(server, monitor)
        async with Client(server) as client:
            await client.list_tools()
            for _ in range(2):
                await client.call_tool("read", {"path": "a"})
        await monitor.cost.track_llm_usage("anthropic", "claude-sonnet-4-5", 10, 10)
    done = run("report", "cost", "--store", store, "--group-by", "tool", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tools_model"] == "anthropic/claude-sonnet-4-5"
    rows = {row["tool"]: row for row in found["tools"]}
    assert list(rows) == ["read", "never"]
    assert rows["read"]["calls"] == 2
    assert 600 < rows["read"]["result_tokens"] < 1400
    assert rows["read"]["result_cost"] == round(rows["read"]["result_tokens"] * 3e-6, 9)
    assert (rows["never"]["calls"], rows["never"]["result_tokens"]) == (0, 0)
    assert all(row["definition_tokens"] > 20 for row in rows.values())
    said = run("report", "cost", "--store", store, "--group-by", "tool").stdout
    assert "context of tools, estimated, read by anthropic/claude-sonnet-4-5" in said
    kept = [record for record in recorded(tmp_path / "store") if isinstance(record, MetricRecord)]
    assert "quick brown" not in repr(kept)


@pytest.mark.requirement("cost:tools:exact")
async def test_with_a_vocabulary_on_disk_tokens_are_counted(tmp_path: Path) -> None:
    store, path = str(tmp_path / "store"), str(word_vocabulary(tmp_path / "tokenizer.json"))
    text = "the quick brown fox jumps over the lazy dog " * 50
    server = MCPServer("files")

    @server.tool()
    def read(path: str) -> str:
        """Read a file."""
        del path
        return text

    with Monitor.open(store=store, start_keeper=False, tokenizer_path=path) as monitor:
        instrument(server, monitor)
        async with Client(server) as client:
            (tool,) = (await client.list_tools()).tools
            for _ in range(3):
                await client.call_tool("read", {"path": "a"})
    calls = [r for r in recorded(tmp_path / "store") if isinstance(r, OperationRecord)]
    called = [r for r in calls if r.operation_type == "tools/call"]
    assert [(r.request_tokens, r.result_tokens, r.tokens_estimated) for r in called] == [
        (FileVocabulary(path).count(['{"path":"a"}']), 450, False)
    ] * 3
    done = run("report", "cost", "--store", store, "--group-by", "tool", "--json")
    (row,) = json.loads(done.stdout)["tools"]
    assert (row["result_tokens"], row["tokens_estimated"]) == (1350, False)
    written = tool.model_dump_json(by_alias=True, exclude_none=True)
    assert row["definition_tokens"] == FileVocabulary(path).count([written])
    said = run("report", "cost", "--store", store, "--group-by", "tool").stdout
    assert "context of tools, counted, read by" in said


def test_with_a_vocabulary_a_wrapped_server_s_tokens_are_counted(tmp_path: Path) -> None:
    vocabulary = FileVocabulary(str(word_vocabulary(tmp_path / "tokenizer.json")))
    watched = Watched(tmp_path / "store", tokens=LineTokens(vocabulary))
    for number in range(3):
        watched.client(request(number, "tools/call", name="read", arguments={"path": "a"}))
        watched.server(result(number, content=[{"type": "text", "text": "one two three"}]))
    calls = [r for r in recorded(tmp_path / "store") if isinstance(r, OperationRecord)]
    written = vocabulary.count(['{"path":"a"}'])
    assert [(r.request_tokens, r.result_tokens, r.tokens_estimated) for r in calls] == [
        (written, 3, False)
    ] * 3


def test_a_wrapped_server_is_seen_to_grow(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "store")
    for number, text in enumerate(("short", "short", "a much longer description " * 40)):
        watched.client(request(number, "tools/list"))
        watched.server(result(number, **tools(read=text)))
    samples = [r for r in recorded(tmp_path / "store") if isinstance(r, MetricRecord)]
    assert [record.attributes for record in samples] == [("tool=read",)] * 2
    assert samples[0].value < 20 < 100 < samples[1].value
    report = run("report", "cost", "--store", str(tmp_path / "store"), "--group-by", "tool",
                 "--until", "2023-11-20", "--since", "2023-11-01", "--json")  # fmt: skip
    [row] = json.loads(report.stdout)["tools"]
    assert (row["server"], row["calls"], row["result_cost"]) == ("named", 0, None)
    assert row["definition_growth"] == samples[1].value - samples[0].value
