"""Nothing starts with a module that only POSIX has, and one module knows the systems apart."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.elsewhere import MISSING_MODULES, MISSING_NAMES
from tests.processes import DEADLINE_SECONDS, free_port, listens, until

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "contextframe_monitoring"
HOME = "store/machine.py"
ELSEWHERE = [sys.executable, "-W", "error::ImportWarning", "-m", "tests.elsewhere"]
WINDOWS_MODULES = ("msvcrt", "winreg", "_winapi")
ASKS = {"sys": {"platform"}, "os": {"name"}, "platform": {"system"}}
UNIX_ONLY = {name for names in MISSING_NAMES.values() for name in names}


def environment(store: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "CONTEXTFRAME_MONITORING_STORE": str(store),
        "CONTEXTFRAME_MONITORING_START_KEEPER": "false",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }


def elsewhere(store: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run a command on a system without what POSIX has."""
    done = subprocess.run(
        [*ELSEWHERE, *arguments],
        input=stdin,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        cwd=REPOSITORY,
        env=environment(store),
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def segments(store: Path) -> list[int]:
    return [path.stat().st_size for path in store.rglob("*.seg")]


def findings(path: Path) -> list[str]:
    """Return where a file asks for the system, or names what only one of them has."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            asked = node.attr in ASKS.get(node.value.id, set())
            unix = node.value.id in {"os", "signal"} and node.attr in UNIX_ONLY
            if asked or unix:
                found.append(f"{path.name}:{node.lineno}: {node.value.id}.{node.attr}")
        bad = {*names} & {*MISSING_MODULES, *WINDOWS_MODULES}
        found += [f"{path.name}:{node.lineno}: {name}" for name in sorted(bad)]
    return found


@pytest.mark.requirement("doors:portability:one-module")
def test_one_module_knows_the_systems_apart() -> None:
    assert findings(PACKAGE / HOME)
    others = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / HOME]
    assert [finding for path in others for finding in findings(path)] == []


CALLS = [
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}\n',
    b"this is no message\n",
]


@pytest.mark.requirement("doors:portability:no-posix-import", "doors:portability:fallback")
def test_wrap_records_and_report_reads_without_anything_of_posix(tmp_path: Path) -> None:
    echo = "import sys; [sys.stdout.write(line) for line in sys.stdin]"
    wrap = ["wrap", "--name", "echo", "--", sys.executable, "-c", echo]
    done = elsewhere(tmp_path, *wrap, stdin=b"".join(CALLS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode() == b"".join(CALLS)
    (size,) = segments(tmp_path)
    assert size < 64 << 10  # a mapped segment starts with all its blocks: this one was written

    report = elsewhere(tmp_path, "report", "performance", "--group-by", "method", "--json")
    assert (report.returncode, report.stderr) == (0, "")
    assert json.loads(report.stdout)["total_operations"] == 2
    verify = elsewhere(tmp_path, "verify", "--json")
    assert (verify.returncode, json.loads(verify.stdout)["complete"]) == (0, True)


@pytest.mark.requirement("doors:portability:no-posix-import")
async def test_serve_answers_a_client_without_anything_of_posix(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=ELSEWHERE[0],
        args=[*ELSEWHERE[1:], "serve"],
        env=environment(tmp_path),
        cwd=REPOSITORY,
    )
    with (tmp_path / "said").open("w") as said, anyio.fail_after(DEADLINE_SECONDS):
        async with Client(stdio_client(server, errlog=said)) as client:
            answer = await client.call_tool("get_performance_metrics", {"since": "24h"})
    assert not answer.is_error
    assert answer.structured_content["total_operations"] == 0
    assert (tmp_path / "said").read_text() == ""


@pytest.mark.requirement("doors:portability:no-posix-import")
def test_serve_and_wrap_over_http_start_without_anything_of_posix(tmp_path: Path) -> None:
    port, before = free_port(), free_port()
    commands = [
        ["serve", "--http", f"127.0.0.1:{port}"],
        ["wrap", "--http", f"http://127.0.0.1:{port}/mcp", "--listen", f"127.0.0.1:{before}"],
    ]
    running = [
        subprocess.Popen(
            [*ELSEWHERE, *command],
            env=environment(tmp_path),
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        until(lambda: listens(port) and listens(before))

        async def ask() -> str:
            async with Client(f"http://127.0.0.1:{before}/mcp") as client:
                answer = await client.call_tool("get_monitoring_status", {})
                assert not answer.is_error, answer.content
                return str(answer.structured_content["enabled"])

        assert anyio.run(ask) == "True"
    finally:
        for process in running:
            process.terminate()
        assert [process.wait(DEADLINE_SECONDS) for process in running]


@pytest.mark.requirement("doors:portability:no-posix-import")
def test_every_module_imports_without_anything_of_posix(tmp_path: Path) -> None:
    names = sorted(
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    )
    program = (
        "import importlib, sys\nfrom tests.elsewhere import leave_posix\nleave_posix()\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=environment(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
