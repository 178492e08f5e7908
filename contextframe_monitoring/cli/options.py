"""The options that all commands share, and the edge where an error becomes one line and an exit
code.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ErrorCode, MonitoringError
from contextframe_monitoring.store.settings import load_config

GOOD, FINDING, USAGE = 0, 1, 2
EXIT_STATUS: dict[ErrorCode, int] = {
    "invalid": USAGE,
    "not_found": USAGE,
    "conflict": FINDING,
    "limited": USAGE,
    "unavailable": FINDING,
    "internal": FINDING,
}

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URI",
        help="Folder or object-store URI. Default: the user's data folder.",
    ),
]
ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration (TOML).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

console = Console()
errors = Console(stderr=True)

_P = ParamSpec("_P")
_R = TypeVar("_R")


def edge(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn a `MonitoringError` of a command into one line on stderr and its exit status."""

    @functools.wraps(command)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except MonitoringError as error:
            errors.print(
                f"contextframe-monitoring: {error}", markup=False, highlight=False, soft_wrap=True
            )
            raise typer.Exit(EXIT_STATUS[error.code]) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return guarded


def settings(store: str | None, config: str | None, **overrides: Any) -> MonitoringConfig:
    """Return the configuration that a command runs with."""
    return load_config(config, os.environ, store=store, **overrides)


def to_the_second(moment: str) -> str:
    """Return an ISO time as tables show it: `2026-11-20 20:46:18`, in the zone of the reports."""
    return moment[:19].replace("T", " ")


def print_json(text: str) -> None:
    """Print a JSON document as it is."""
    typer.echo(text)
