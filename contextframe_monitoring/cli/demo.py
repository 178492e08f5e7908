"""`demo`: the main job on a real MCP server, with a SIGKILL in the middle, in under a minute."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import typer

from contextframe_monitoring.cli.options import FINDING, GOOD, JsonOption, console, edge
from contextframe_monitoring.core.errors import UnavailableError


@edge
def demo(json: JsonOption = False) -> None:
    """Wrap a real MCP server, use it, kill it, use it again, and prove that nothing was lost.

    Everything happens in a temporary folder that is removed at the end.

    Examples:
      contextframe-monitoring demo
    """
    from rich.progress import Progress

    from contextframe_monitoring.cli.scene import CALLS, SERVER, play

    if importlib.util.find_spec(SERVER) is None:
        message = f"{SERVER} is not installed: pip install 'contextframe-monitoring[demo]'"
        raise UnavailableError(message)
    with tempfile.TemporaryDirectory(prefix="contextframe-demo-") as folder:
        store = str(Path(folder) / "store")
        with Progress(console=console, transient=True, disable=json) as progress:
            task = progress.add_task("mcp-server-time under wrap", total=2 * CALLS)
            answered = play(store, lambda what: progress.update(task, advance=1, description=what))
        complete = _show(store, answered, json=json)
    raise typer.Exit(GOOD if complete else FINDING)


def _show(store: str, answered: int, *, json: bool) -> bool:
    from contextframe_monitoring.cli.printing import print_performance, print_verify
    from contextframe_monitoring.monitor import Monitor

    with Monitor.open(store=store, enabled=False) as monitor:
        monitor.drain()
        reports = monitor.reports
        query = reports.question("performance", since="1h", group_by=("target", "status"))
        performance = reports.performance(query)
        proof = reports.verify()
    if json:
        typer.echo(proof.model_dump_json(indent=2))
        return proof.complete
    print_performance(performance)
    console.print()
    print_verify(proof)
    console.print(
        f"The client got {answered} answers from the tool, half of them before the SIGKILL; "
        f"all {proof.recorded} messages that were recorded stand in the tables, once.",
        highlight=False,
    )
    return proof.complete
