"""The rules of a store: those that come with the package, those of the configuration, and those
made while it runs. Of one name the later one wins.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.rule_tables import rules_of
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.store.rule_book import RuleBook

RuleOrigin = Literal["default", "configuration", "state"]
DEFAULTS_FILE = "default_rules.toml"


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A rule, where it stands, and what it hides: where another of its name stands. `created_us`
    is known of rules that were made while the program runs.
    """

    rule: Rule
    origin: RuleOrigin
    overrides: RuleOrigin | None = None
    created_us: int | None = None


def default_rules_text() -> str:
    """Return the file of the default rules, TOML."""
    return (resources.files(__package__) / DEFAULTS_FILE).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def default_rules() -> tuple[Rule, ...]:
    """Return the rules that come with the package."""
    return tuple(rules_of(tomllib.loads(default_rules_text())["alert_rules"], DEFAULTS_FILE))


def known_rules(config: MonitoringConfig, book: RuleBook | None) -> dict[str, KnownRule]:
    """Return all rules by name, those that are switched off too."""
    found: dict[str, KnownRule] = {}
    defaults = default_rules() if config.alerts.default_rules else ()
    sources: tuple[tuple[RuleOrigin, list[Rule]], ...] = (
        ("default", list(defaults)),
        ("configuration", rules_of(config.alert_rules, "alert rule")),
        ("state", book.rules() if book is not None else []),
    )
    created = book.created_us() if book is not None else {}
    for origin, rules in sources:
        for rule in rules:
            hidden = found.get(rule.name)
            made_us = created.get(rule.name) if origin == "state" else None
            found[rule.name] = KnownRule(rule, origin, hidden.origin if hidden else None, made_us)
    return dict(sorted(found.items()))
