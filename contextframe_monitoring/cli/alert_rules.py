"""`alerts rules`: which rules there are, where they stand, and how they are changed."""

from __future__ import annotations

import getpass
import json as json_module
import sys
import tomllib
from typing import TYPE_CHECKING, Annotated, Any

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
from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.core.windows import iso

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.desk import By
    from contextframe_monitoring.alerts.rule_desk import RuleDesk
    from contextframe_monitoring.alerts.rule_set import KnownRule

rules = typer.Typer(invoke_without_command=True)

FILE_BYTES_MAX = 1 << 20
_FORMATS = ("table", "toml", "prometheus")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A rule, as listed.")]
File = Annotated[
    str, typer.Argument(metavar="FILE", help="TOML with tables `alert_rules`; -: standard input.")
]


@rules.callback()
@edge
def list_rules(
    context: typer.Context,
    output: Annotated[
        str, typer.Option("--format", help="table, toml, or prometheus (alerting rules).")
    ] = "table",
    defaults: Annotated[
        bool, typer.Option("--defaults", help="The file of the rules that come with the package.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The rules, where they stand, and what was wrong when they were last evaluated.

    Examples:
      contextframe-monitoring alerts rules
      contextframe-monitoring alerts rules --defaults
      contextframe-monitoring alerts rules --format prometheus
    """
    if context.invoked_subcommand is not None:
        return
    if defaults:
        from contextframe_monitoring.alerts.rule_set import default_rules_text

        typer.echo(default_rules_text(), nl=False)
        return
    if output not in _FORMATS:
        raise InvalidError("--format", output, f"expected one of {', '.join(_FORMATS)}")
    desk = _desk(store, config)
    known = desk.rules()
    if json:
        typer.echo(json_module.dumps(_listed(known, desk.problems()), indent=2))
    elif output == "table":
        _print_rules(known, desk.problems())
    else:
        typer.echo(_written(known, output), nl=False)


@rules.command()
@edge
def create(file: File, store: StoreOption = None, config: ConfigOption = None) -> None:
    """Make the rules of a file, all or none.

    Examples:
      contextframe-monitoring alerts rules create rules.toml
    """
    for rule in _desk(store, config).create(tables_of(file), _by()):
        console.print(f"{rule.name} is made", markup=False, highlight=False)


@rules.command()
@edge
def update(
    name: Name,
    changes: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE...", help="Values as in TOML; KEY= for the default."),
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Change keys of a rule.

    Examples:
      contextframe-monitoring alerts rules update slow_response threshold=3000 window=15m
    """
    values = dict(map(_assignment, changes))
    rule = _desk(store, config).update(name, values, _by())
    console.print(f"{rule.name} is changed", markup=False, highlight=False)


@rules.command()
@edge
def enable(name: Name, store: StoreOption = None, config: ConfigOption = None) -> None:
    """Evaluate a rule again.

    Examples:
      contextframe-monitoring alerts rules enable slow_response
    """
    _desk(store, config).enable(name, True, _by())
    console.print(f"{name} is on", markup=False, highlight=False)


@rules.command()
@edge
def disable(name: Name, store: StoreOption = None, config: ConfigOption = None) -> None:
    """Evaluate a rule no longer; its alerts resolve.

    Examples:
      contextframe-monitoring alerts rules disable slow_response
    """
    _desk(store, config).enable(name, False, _by())
    console.print(f"{name} is off", markup=False, highlight=False)


@rules.command()
@edge
def delete(name: Name, store: StoreOption = None, config: ConfigOption = None) -> None:
    """Take away a rule that was made or changed here; the one that it hid is back.

    Examples:
      contextframe-monitoring alerts rules delete slow_response
    """
    hidden = _desk(store, config).delete(name, _by())
    back = "" if hidden is None else f"; the one of the {hidden.origin} is back"
    console.print(f"{name} is gone{back}", markup=False, highlight=False)


@rules.command()
@edge
def validate(file: File) -> None:
    """Check the rules of a file without a store.

    Examples:
      contextframe-monitoring alerts rules validate rules.toml
    """
    from contextframe_monitoring.alerts.rule_desk import RuleDesk

    found = RuleDesk.validate(tables_of(file))
    console.print(f"{len(found)} rule(s) are good", highlight=False)


def _desk(store: str | None, config: str | None) -> RuleDesk:
    from contextframe_monitoring.alerts.rule_desk import RuleDesk
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    return RuleDesk(store_of(found), found, SystemClock())


def _by() -> By:
    from contextframe_monitoring.alerts.desk import By

    return By(getpass.getuser(), "command")


def tables_of(file: str) -> list[dict[str, Any]]:
    """Return the tables `[[alert_rules]]` of a file, whatever else stands there."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with open(file, "rb") as opened:
                data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidError("FILE", file, f"a readable file ({error.strerror})") from None
    if len(data) > FILE_BYTES_MAX:
        raise LimitedError("size of " + file, len(data), FILE_BYTES_MAX, "is it the right file?")
    try:
        found = tomllib.loads(data.decode()).get("alert_rules")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError("FILE", file, f"TOML ({error})") from None
    if not isinstance(found, list) or not found:
        raise InvalidError("FILE", file, "expected at least one [[alert_rules]]")
    return found


def _assignment(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InvalidError("KEY=VALUE", text, "for example threshold=3000 or window=15m")
    if not value:
        return key.strip(), None
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value  # a word without quotes: window=15m


def _listed(known: dict[str, KnownRule], problems: dict[str, str]) -> list[dict[str, Any]]:
    from contextframe_monitoring.core.rule_tables import shown_table

    return [
        {
            "origin": one.origin,
            "overrides": one.overrides,
            "created_at": None if one.created_us is None else iso(one.created_us, "UTC"),
            "problem": problems.get(name),
            "rule": {**shown_table(one.rule), "is_active": one.rule.is_active},
        }
        for name, one in known.items()
    ]


def _print_rules(known: dict[str, KnownRule], problems: dict[str, str]) -> None:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("rule", "stands in", "severity", "watches", "window", "for"):
        table.add_column(name, overflow="fold")
    for name, one in known.items():
        rule = one.rule
        origin = one.origin if rule.is_active else f"{one.origin}, off"
        relative = f" {rule.relative_to}" if rule.relative_to else ""
        watches = f"{rule.signal} {rule.direction} {rule.bound:g}{relative}"
        cells = (name, origin, rule.severity, watches, rule.window, rule.for_)
        table.add_row(*map(escape, cells))
    console.print(table)
    for name, why in problems.items():
        if name in known:
            console.print(f"{name}: {why}", markup=False, highlight=False, soft_wrap=True)
    if any(name in known for name in problems):
        raise typer.Exit(FINDING)


def _written(known: dict[str, KnownRule], output: str) -> str:
    from contextframe_monitoring.core.rule_tables import toml_of

    rules_there = [one.rule for one in known.values()]
    if output == "toml":
        return toml_of(rules_there)
    from contextframe_monitoring.export.alerting_rules import alerting_rules

    return alerting_rules([rule for rule in rules_there if rule.is_active])
