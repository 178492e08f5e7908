"""`wrap` as `--help` shows it. The command itself starts in `__main__`, before anything heavy is
imported.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from contextframe_monitoring.cli.options import ConfigOption, StoreOption


def wrap(
    command: Annotated[
        list[str] | None, typer.Argument(help="-- COMMAND ARGS...: the server to start.")
    ] = None,
    http: Annotated[
        str | None, typer.Option("--http", help="URL of a streamable HTTP server instead.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", help="HOST:PORT for its clients; loopback only.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Its name in reports.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Relay any MCP server byte for byte, and record every message.

    It starts COMMAND and stands between it and the client; with --http and --listen it stands
    before a server that runs already, and clients use the address of --listen.
    The server is named by --name, else by `server` in the configuration, else by itself.

    Examples:
      contextframe-monitoring wrap --name time -- uvx mcp-server-time
      contextframe-monitoring wrap --http http://127.0.0.1:3000/mcp --listen 127.0.0.1:8901
    """
    from contextframe_monitoring.mcp.wrap import main

    options = [
        ("--http", http),
        ("--listen", listen),
        ("--name", name),
        ("--store", store),
        ("--config", config),
    ]
    given = [part for flag, value in options if value is not None for part in (flag, value)]
    sys.exit(main([*given, *(["--", *command] if command else [])]))
