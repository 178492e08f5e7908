"""`bench`: what watching costs, beside peers, in one interleaved run."""

from __future__ import annotations

import importlib
import json as json_module
from typing import Annotated

import typer

from contextframe_monitoring.cli.options import JsonOption, console, edge
from contextframe_monitoring.core.errors import InvalidError

_HOMES = {
    "overhead": "contextframe_monitoring.bench.overhead",
    "record": "contextframe_monitoring.bench.record",
    "wrap": "contextframe_monitoring.bench.wrap",
    "serve": "contextframe_monitoring.bench.serve",
    "ingest": "contextframe_monitoring.bench.ingest",
    "query": "contextframe_monitoring.bench.query",
    "scale": "contextframe_monitoring.bench.scale",
}
NAMES = tuple(_HOMES)
_ROUNDS = {
    "overhead": 1000,
    "record": 50_000,
    "wrap": 300,
    "serve": 10,
    "ingest": 60,
    "query": 10,
    "scale": 10,
}
_SIZED = {"query", "scale"}


@edge
def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(NAMES)}.")] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=10, help="Calls, records or seconds of each variant."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", min=1_000, help="Of query: rows of each kind; of scale: events of a year."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure what monitoring costs, beside the tools people use today.

    Examples:
      contextframe-monitoring bench
      contextframe-monitoring bench wrap --rounds 100
    """
    chosen = names or list(NAMES)
    for name in chosen:
        if name not in NAMES:
            raise InvalidError("NAME", name, f"expected one of {', '.join(NAMES)}")
    for name in chosen:
        count = rounds or _ROUNDS[name]
        module = importlib.import_module(_HOMES[name])
        sized = {"rows": rows} if rows is not None and name in _SIZED else {}
        result = module.run(count, **sized)
        text = json_module.dumps(result) if json else module.render(result)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
