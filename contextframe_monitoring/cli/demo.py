"""`demo`: the main job on a real MCP server, with a SIGKILL in the middle, in under a minute."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path

import anyio
import typer
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import Implementation
from rich.progress import Progress

from contextframe_monitoring.cli.options import FINDING, GOOD, JsonOption, console, edge
from contextframe_monitoring.cli.reporting import print_performance, print_verify
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.store.machine import spool_folder
from contextframe_monitoring.store.spool.reader import is_alive, read_spool

_SERVER = "mcp_server_time"
_CALLS = 30
_ZONES = ("Europe/Berlin", "Asia/Tokyo", "America/New_York", "No/Such_Zone")


@edge
def demo(json: JsonOption = False) -> None:
    """Wrap a real MCP server, use it, kill it, use it again, and prove that nothing was lost.

    Everything happens in a temporary folder that is removed at the end.
    """
    if importlib.util.find_spec(_SERVER) is None:
        message = f"{_SERVER} is not installed: pip install 'contextframe-monitoring[demo]'"
        raise UnavailableError(message)
    with tempfile.TemporaryDirectory(prefix="contextframe-demo-") as folder:
        store = str(Path(folder) / "store")
        with Progress(console=console, transient=True, disable=json) as progress:
            task = progress.add_task("mcp-server-time under wrap", total=2 * _CALLS + 2)

            def advance(what: str) -> None:
                progress.update(task, advance=1, description=what)

            answered = anyio.run(_use_and_kill, store, advance)
            answered += anyio.run(_use, store, advance)
        complete = _show(store, answered, json=json)
    raise typer.Exit(GOOD if complete else FINDING)


def _client(store: str) -> Client:
    command = ["-m", "contextframe_monitoring", "wrap", "--name", "time", "--store", store, "--"]
    server = StdioServerParameters(
        command=sys.executable,
        args=[*command, sys.executable, "-m", _SERVER],
        env=dict(os.environ),
    )
    return Client(server, client_info=Implementation(name="demo-agent", version="1"))


async def _calls(client: Client, advance: object, label: str) -> int:
    answered = 0
    for number in range(_CALLS):
        zone = _ZONES[number % len(_ZONES)]
        await client.call_tool("get_current_time", {"timezone": zone})
        answered += 1
        advance(label)  # type: ignore[operator]
    return answered


async def _use(store: str, advance: object) -> int:
    async with _client(store) as client:
        return await _calls(client, advance, "started again")


async def _use_and_kill(store: str, advance: object) -> int:
    """Make some calls, then kill the wrapped server's monitor with SIGKILL while its client is
    connected.
    """
    answered = 0
    try:
        async with _client(store) as client:
            answered = await _calls(client, advance, "mcp-server-time under wrap")
            with anyio.fail_after(20):
                os.kill(_living_writer(store), signal.SIGKILL)
                advance("killed with SIGKILL")  # type: ignore[operator]
                await client.call_tool("get_current_time", {"timezone": "UTC"})
    except (MCPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, TimeoutError):
        pass  # the connection died with the process: that was the point
    except BaseExceptionGroup as group:
        if group.split(Exception)[1] is not None:
            raise
    return answered


def _living_writer(store: str) -> int:
    for writer in read_spool(spool_folder(store, None)):
        if writer.header is not None and is_alive(writer.folder):
            return writer.header.pid
    raise UnavailableError("the wrapped server has no spool: nothing was recorded")


def _show(store: str, answered: int, *, json: bool) -> bool:
    with Monitor.open(MonitoringConfig(store=store), name="demo") as monitor:
        monitor.reports.drain()
        performance = monitor.reports.performance(since="1h", group_by=("target",))
        proof = monitor.reports.verify()
    if json:
        typer.echo(proof.model_dump_json(indent=2))
        return proof.complete
    print_performance(performance)
    print_verify(proof)
    console.print(
        f"The client got {answered} answers from the tool before and after the SIGKILL; "
        f"{proof.recorded} messages were recorded, {proof.stored} stand in the tables."
    )
    return proof.complete
