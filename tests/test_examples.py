"""The examples run, as a person runs them, and do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from contextframe_monitoring import Monitor
from tests.processes import run as command_line

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, store: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_environment(store),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment(store: Path) -> dict[str, str]:
    path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "CONTEXTFRAME_MONITORING_STORE": str(store), "PYTHONPATH": path}


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "application.py",
        "instrumented_server.py",
        "logged_shop.py",
        "own_handler.py",
    }


@pytest.mark.requirement("002:test:integration")
def test_an_application_records_one_of_each_and_proves_it(tmp_path: Path) -> None:
    cost, _, proof = run("application.py", tmp_path / "store").partition("\n")
    assert cost == "that call cost 0.0081 USD"
    found = json.loads(proof)
    assert (found["complete"], found["recorded"], found["stored"]) == (True, 7, 7)


@pytest.mark.requirement("004:ac:correlation")
def test_a_shop_leaves_lines_and_rows_under_the_id_of_a_visit(tmp_path: Path) -> None:
    answer, command = run("logged_shop.py", tmp_path / "store").splitlines()
    assert answer == "200 visit-1"
    done = command_line(*command.split()[1:], "--store", str(tmp_path / "store"), "--json")
    found = json.loads(done.stdout)
    assert [line["message"] for line in found["lines"]] == [
        "order.seen", "order.placed", "request.handled",
    ]  # fmt: skip
    assert [row.get("operation_type") or row.get("operation") for row in found["rows"]] == [
        "http GET", "sql SELECT", "http GET", "order.placed",
    ]  # fmt: skip


@pytest.mark.requirement("002:handler:own-class")
def test_a_handler_of_ones_own_is_watched(tmp_path: Path) -> None:
    assert run("own_handler.py", tmp_path / "store").splitlines() == [
        "{'result': 3.0}",
        "{'result': 2.0}",
        "failed: division by zero",
        "3 requests, 1 failed",
    ]


@pytest.mark.requirement(
    "002:tools:in-own-server", "spine:instrument:tools", "spine:instrument:stdio"
)
@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_an_instrumented_server_answers_about_itself(tmp_path: Path, era: Any) -> None:
    store = tmp_path / "store"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[str(EXAMPLES / "instrumented_server.py")],
        env=_environment(store),
    )
    async with Client(parameters, mode=era) as client:
        book = await client.call_tool("find_book", {"number": "2"})
        assert book.content[0].text == "Middlemarch"
        assert (await client.call_tool("find_book", {"number": "3"})).is_error
        report = await client.call_tool(
            "get_performance_metrics", {"where": ["method=tools/call", "target=find_book"]}
        )
        status = await client.read_resource("monitoring://status")
    found = report.structured_content or {}
    assert (found["total_operations"], found["errors"]) == (2, 1)
    assert json.loads(status.contents[0].text)["status"] == "ok"
    with Monitor.open(store=str(store), start_keeper=False) as monitor:
        assert (await monitor.verify()).complete
