"""`install` and `uninstall`: our server in the configuration of an MCP client, and its other
servers under `wrap`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from contextframe_monitoring.cli.clients import claude_code, claude_desktop
from contextframe_monitoring.cli.clients.entries import on_path
from contextframe_monitoring.cli.clients.installation import EVERYTHING, Unwanted, Wanted
from contextframe_monitoring.cli.clients.launcher import is_temporary, own_launcher
from contextframe_monitoring.cli.clients.place import Place, Places
from contextframe_monitoring.cli.clients.plan import (
    Plan,
    carry_out_install,
    carry_out_uninstall,
    plan_install,
    plan_uninstall,
)
from contextframe_monitoring.cli.options import (
    ConfigOption,
    StoreOption,
    console,
    edge,
    settings,
)
from contextframe_monitoring.core.errors import InvalidError, NotFoundError
from contextframe_monitoring.store.machine import PLATFORM, is_remote, local_store

ClientName = Literal["claude-desktop", "claude-code"]


class Client(NamedTuple):
    """A client: what it is called, where it keeps its configuration, how it takes notice of it."""

    title: str
    places: Places
    restart: str


CLIENTS: Mapping[ClientName, Client] = {
    "claude-desktop": Client(claude_desktop.TITLE, claude_desktop.places, claude_desktop.RESTART),
    "claude-code": Client(claude_code.TITLE, claude_code.places, claude_code.RESTART),
}
ClientArgument = Annotated[ClientName, typer.Argument(help="Whose configuration.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")]
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def client_places(name: ClientName) -> list[Place]:
    """Return the files of a client of the user who runs this."""
    return CLIENTS[name].places(PLATFORM, os.environ, Path.home(), Path.cwd())


@edge
def install(
    client: ClientArgument,
    wrap: Annotated[
        list[str] | None,
        typer.Option("--wrap", metavar="NAME", help="Watch this server too. May be repeated."),
    ] = None,
    wrap_all: Annotated[
        bool, typer.Option("--wrap-all", help="Watch every server that the client starts.")
    ] = False,
    dry_run: DryRun = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Add the monitoring server to an MCP client, and watch the client's other servers.

    The difference is shown first; a copy of the file is kept beside it.
    Installing again changes nothing; `uninstall` gives back what was there.

    Examples:
      contextframe-monitoring install claude-desktop --dry-run
      contextframe-monitoring install claude-desktop --wrap-all
      contextframe-monitoring install claude-code --wrap github --wrap postgres
    """
    settings(store, config)
    launcher = own_launcher()
    wanted = Wanted(
        launcher=launcher,
        options=_options(store, config),
        names=frozenset(wrap or ()),
        wrap_all=wrap_all,
    )
    plans = [plan_install(place, wanted, on_path) for place in client_places(client)]
    _check_names(wanted.names, plans)
    for plan in plans:
        _show(plan)
        if plan.changes and not dry_run:
            backup = carry_out_install(plan)
            _say(f"written; as it was before: {backup}")
    if is_temporary(launcher):
        _say(
            f"note: {launcher[0]} lies in a temporary environment: run"
            " `uv tool install contextframe-monitoring` (or `pipx install`) and install again"
        )
    if any(plan.changes for plan in plans) and not dry_run:
        _say(CLIENTS[client].restart)


@edge
def uninstall(
    client: ClientArgument,
    wrap: Annotated[
        list[str] | None,
        typer.Option("--wrap", metavar="NAME", help="Only unwrap this server. May be repeated."),
    ] = None,
    wrap_all: Annotated[
        bool, typer.Option("--wrap-all", help="Only unwrap the servers; ours stays.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take the monitoring server out of an MCP client, and unwrap the client's other servers.

    A file that nobody changed since `install` becomes what it was, byte for byte.

    Examples:
      contextframe-monitoring uninstall claude-desktop
      contextframe-monitoring uninstall claude-code --wrap github --dry-run
    """
    names = frozenset(wrap or ())
    only = Unwanted(names=names, wrap_all=wrap_all, serves=False)
    unwanted = only if names or wrap_all else EVERYTHING
    plans = [plan_uninstall(place, unwanted) for place in client_places(client)]
    _check_names(names, plans)
    for plan in plans:
        _show(plan)
        if not dry_run:
            carry_out_uninstall(plan)
    if any(plan.changes for plan in plans) and not dry_run:
        _say(CLIENTS[client].restart)


def _options(store: str | None, config: str | None) -> tuple[str, ...]:
    """Return the options that `serve` and `wrap` get, with absolute paths."""
    found: list[str] = []
    if store is not None:
        found += ["--store", store if is_remote(store) else str(local_store(store))]
    if config is not None:
        found += ["--config", os.path.abspath(os.path.expanduser(config))]
    return tuple(found)


def _check_names(names: frozenset[str], plans: list[Plan]) -> None:
    for name in sorted(names):
        if name == "":
            raise InvalidError("--wrap", name, "expected the name of a server")
        if not any(name in plan.change.matched for plan in plans):
            known = sorted({known for plan in plans for known in plan.change.names})
            hint = f"there are {', '.join(known)}" if known else "the client has none"
            raise NotFoundError("MCP server", name, hint)


def _show(plan: Plan) -> None:
    if plan.now is None and not plan.place.serves:
        return
    if not plan.changes:
        _say(f"{plan.file}: nothing to change")
    for line in plan.diff():
        style = _STYLES.get(line[:1])
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    for line in plan.change.said:
        _say(line)
    if plan.changes and plan.place.note:
        _say(f"note: {plan.place.note}")


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
