"""`prices`: what a model costs at a date and why, where files and catalogue differ, quotes."""

from __future__ import annotations

import datetime as dt
import json as json_module
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    settings,
)
from contextframe_monitoring.cli.repricing import print_unknown, reprice, unknown_cost
from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.price_explained import Disagreement, Explanation
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.store.catalogue import Catalogue

_LINE_BYTES_MAX = 1 << 20

prices = typer.Typer(
    no_args_is_help=True,
    help="""Prices: list, check, quote, reprice.

    Examples:
      contextframe-monitoring prices list claude-sonnet-4-5
      contextframe-monitoring prices check
    """,
)

At = Annotated[
    str | None, typer.Option("--at", metavar="DATE", help="ISO 8601 date or time. Default: now.")
]
Provider = Annotated[str | None, typer.Option("--provider", help="Provider of the model.")]


@prices.command("list")
@edge
def list_prices(
    model: Annotated[str | None, typer.Argument(help="A model; none: every known one.")] = None,
    provider: Provider = None,
    at: At = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What a model costs at a date, and why: which file and line, or which catalogue entry.

    Examples:
      contextframe-monitoring prices list claude-sonnet-4-5 --at 2025-11-01
      contextframe-monitoring prices list --provider anthropic
    """
    catalogue = _catalogue(config)
    if model is None:
        _list_models(catalogue, provider, json=json)
        return
    found = catalogue.explain(provider, model, _moment(at))
    if json:
        typer.echo(json_module.dumps(_explained(found), indent=2))
    else:
        _print_explained(found)
    if found.rates is None:
        raise typer.Exit(FINDING)


@prices.command()
@edge
def check(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Which price files are read, which of their entries differ from the base catalogue, and what
    in the store has no price.

    Examples:
      contextframe-monitoring prices check
      contextframe-monitoring prices check --json
    """
    catalogue = _catalogue(config)
    status = catalogue.status()
    found = [_differs(one) for one in catalogue.disagreements()]
    unknown = unknown_cost(store, config)
    if json:
        listed = unknown.model_dump()
        typer.echo(
            json_module.dumps({**status, "disagreements": found, "unknown": listed}, indent=2)
        )
        return
    console.print(f"base: {status['base']}; {status['entries']} entries in", highlight=False)
    for file in status["files"]:
        console.print(f"  {escape(file)}", highlight=False)
    table = _table("model", "since", "rate", "ours", "base", "entry")
    for row in found:
        table.add_row(*(escape(str(row[name] or "-")) for name in _COLUMNS))
    console.print(table)
    print_unknown(unknown)


prices.command()(reprice)


@prices.command()
@edge
def quote(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="JSON lines; default: standard input.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Price calls: one JSON line in, one out. A line that is wrong gets an error of its own.

    Examples:
      contextframe-monitoring prices quote calls.jsonl

    A line: {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 90}}
    """
    catalogue = _catalogue(config)
    now = dt.datetime.now(dt.UTC)
    wrong = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            answer = catalogue.quote(_parsed(line, number), now)
        except MonitoringError as error:
            wrong += 1
            typer.echo(json_module.dumps({"error": f"line {number}: {error}"}))
            continue
        typer.echo(_json_line(answer))
    if wrong:
        raise typer.Exit(FINDING)


def _catalogue(config: str | None) -> Catalogue:
    path = settings(None, config).pricing_config_path
    return Catalogue(PricingConfig() if path is None else PricingConfig.from_path(path))


def _moment(at: str | None) -> dt.datetime:
    if at is None:
        return dt.datetime.now(dt.UTC)
    try:
        found = dt.datetime.fromisoformat(at)
    except ValueError:
        raise InvalidError("--at", at, "expected an ISO 8601 date or time") from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _lines(file: str | None) -> Iterator[str]:
    if file is None:
        yield from sys.stdin
        return
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as error:
        raise InvalidError("FILE", file, f"a readable file ({error.strerror})") from None


def _parsed(line: str, number: int) -> Any:
    if len(line) > _LINE_BYTES_MAX:
        raise InvalidError(f"line {number}", f"{len(line)} characters", "at most 1 MiB")
    try:
        return json_module.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise InvalidError("the line", line.strip(), f"a JSON object ({error})") from None


def _json_line(answer: dict[str, Any]) -> str:
    """Return one answer as JSON, the amount written from the exact decimal."""
    amount = answer["amount_usd"]
    rest = json_module.dumps({"price_id": answer["price_id"], "reason": answer["reason"]})
    return f'{{"amount_usd": {"null" if amount is None else f"{amount:f}"}, {rest[1:]}'


def _explained(found: Explanation) -> dict[str, Any]:
    rates = found.rates or {}
    return {
        "provider": found.provider,
        "model": found.model,
        "at": found.at.isoformat(),
        "price_id": found.price_id,
        "rates": {key: str(rate) for key, rate in rates.items()} or None,
        "origin": found.origin,
        "source": found.source,
        "checked": found.checked.isoformat() if found.checked else None,
        "since": _iso(found.since_us),
        "until": _iso(found.until_us),
        "why": found.why,
        "inherited": list(found.inherited),
        "overruled": list(found.overruled),
    }


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else iso(time_us, "UTC")


def _print_explained(found: Explanation) -> None:
    details = _explained(found)
    console.print(
        f"{details['provider']} {found.model}: {found.why}", markup=False, highlight=False
    )
    for name in ("price_id", "origin", "source", "checked", "since", "until"):
        if details[name]:
            console.print(f"  {name}: {details[name]}", markup=False, highlight=False)
    for key, rate in (details["rates"] or {}).items():
        console.print(f"  {key}: {rate}", markup=False, highlight=False)


def _list_models(catalogue: Catalogue, provider: str | None, *, json: bool) -> None:
    models: Iterable[tuple[str, str]] = sorted(
        pair for pair in catalogue.models() if provider in {None, pair[0]}
    )
    if json:
        rows = [{"provider": one, "model": model} for one, model in models]
        typer.echo(json_module.dumps(rows, indent=2))
        return
    for one, model in models:
        typer.echo(f"{one}\t{model}")


_COLUMNS = ("model", "since", "key", "ours", "base", "origin")


def _differs(one: Disagreement) -> dict[str, str | None]:
    return {
        "model": f"{one.provider}/{one.model}",
        "mode": ",".join(f"{key}={value}" for key, value in one.mode) or None,
        "since": _iso(one.since_us),
        "key": one.key,
        "ours": None if one.ours is None else str(one.ours),
        "base": None if one.base is None else str(one.base),
        "origin": one.origin,
    }


def _table(*names: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table
