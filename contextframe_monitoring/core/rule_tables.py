"""Rules out of tables: what a TOML file, a command or a tool says, checked key by key."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contextframe_monitoring.core.errors import InvalidError, LimitedError, UnknownKeyError
from contextframe_monitoring.core.privacy import MASK
from contextframe_monitoring.core.rule_words import in_our_words
from contextframe_monitoring.core.rules import RULES_MAX, Rule, wrong

_TYPES: dict[str, Any] = {}
_SHOWN = {"type", "recipients", "numbers"}


def rule_keys() -> dict[str, Any]:
    """Return the keys of a rule as they are written, and their types."""
    if not _TYPES:
        hints = typing.get_type_hints(Rule, include_extras=True)
        names = zip(Rule.__struct_fields__, Rule.__struct_encode_fields__, strict=True)
        _TYPES.update({written: hints[field] for field, written in names})
    return _TYPES


def rule_of(table: Mapping[str, Any], where: str = "the rule") -> Rule:
    """Return the rule of a table, in our words or the seeds'. Raises `UnknownKeyError` or
    `InvalidError`, which name the rule and the key.
    """
    if not isinstance(table, Mapping):
        raise InvalidError(where, table, "expected a table of keys")
    name = table.get("name")
    if not isinstance(name, str):
        raise InvalidError(f"{where}: name", name, "every alert rule needs a name")
    types = rule_keys()
    values: dict[str, Any] = {}
    for key, value in in_our_words(table).items():
        if key not in types:
            raise UnknownKeyError(str(key), types, f"alert rule {name!r}")
        values[_FIELDS.get(key, key)] = _converted(name, key, value, types[key])
    if "signal" not in values:
        raise wrong(name, "signal", None, "it is needed: what should be watched?")
    return Rule(**values)


def rules_of(tables: Iterable[Mapping[str, Any]], where: str) -> list[Rule]:
    """Return the rules of tables. Raises `InvalidError` for a name that stands twice."""
    found: dict[str, Rule] = {}
    for number, table in enumerate(tables, 1):
        if number > RULES_MAX:
            raise LimitedError("number of alert rules", number, RULES_MAX, "merge some by group_by")
        rule = rule_of(table, f"{where} {number}")
        if rule.name in found:
            raise wrong(rule.name, "name", rule.name, "another rule has it")
        found[rule.name] = rule
    return list(found.values())


def table_of(rule: Rule) -> dict[str, Any]:
    """Return a rule as the table that it is written as; `rule_of` reads it back."""
    table: dict[str, Any] = msgspec.to_builtins(rule)
    return table


def shown_table(rule: Rule) -> dict[str, Any]:
    """Return a rule as it may be answered and audited: addresses of channels that it brings itself
    may be secrets, so only their types and receivers are shown.
    """
    table = table_of(rule)
    for channel in table.get("inline_channels", {}).values():
        for key, value in channel.items():
            if key not in _SHOWN and isinstance(value, str):
                channel[key] = MASK
    return table


def changed_rule(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """Return the rule with other values; None takes a key back to its default."""
    table = {**table_of(rule), **changes}
    return rule_of({key: value for key, value in table.items() if value is not None})


def toml_of(rules: Sequence[Rule]) -> str:
    """Return rules as TOML, as they may be shown."""
    blocks = []
    for rule in rules:
        lines = [f"{key} = {_toml(value)}" for key, value in shown_table(rule).items()]
        blocks.append("\n".join(["[[alert_rules]]", *lines, ""]))
    return "\n".join(blocks)


_FIELDS = {"for": "for_"}


def _converted(name: str, key: str, value: Any, kind: Any) -> Any:
    if kind == dict[str, str] and isinstance(value, Mapping):
        value = {str(inner): _text(text) for inner, text in value.items()}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise wrong(name, key, value, _allowed(error, kind)) from None


def _text(value: Any) -> Any:
    """Return a number of a filter as it would be written; status_code = 500 is common."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _allowed(error: msgspec.ValidationError, kind: Any) -> str:
    for inner in (kind, *typing.get_args(kind)):
        if typing.get_origin(inner) is typing.Literal:
            return f"expected one of {', '.join(typing.get_args(inner))}"
    return str(error).split(" - at ")[0].replace("`", "").lower()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_quoted(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """Return a basic string of TOML: JSON's escapes are a subset of its own, but for DEL."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
