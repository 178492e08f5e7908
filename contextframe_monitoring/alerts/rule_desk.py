"""The desk of rules: made, changed, switched and taken away while the program runs, audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contextframe_monitoring.alerts.desk import By
from contextframe_monitoring.alerts.questions import check_dimensions
from contextframe_monitoring.alerts.rule_set import KnownRule, known_rules
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ConflictError, LimitedError, NotFoundError
from contextframe_monitoring.core.rule_tables import changed_rule, rules_of, shown_table
from contextframe_monitoring.core.rules import RULES_MAX, Rule
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

_SEE = "see `alerts rules`"


class RuleDesk:
    """The rules of one store. Raises a `MonitoringError` that names rule and key."""

    def __init__(self, store: Store, config: MonitoringConfig, clock: Clock) -> None:
        """Nothing is opened yet."""
        self._store, self._config, self._clock = store, config, clock

    def rules(self) -> dict[str, KnownRule]:
        """Return all rules by name, and where each stands."""
        state = AlertState.of(self._store)
        return known_rules(self._config, None if state is None else state.rules)

    def rule(self, name: str) -> KnownRule:
        """Return one rule."""
        found = self.rules().get(name)
        if found is None:
            raise NotFoundError("alert rule", name, _SEE)
        return found

    def problems(self) -> dict[str, str]:
        """Return what was wrong with which rule when they were last evaluated."""
        state = AlertState.of(self._store)
        last = None if state is None else state.evaluations.last()
        return {} if last is None else last.problems

    @staticmethod
    def validate(tables: Sequence[Mapping[str, Any]], where: str = "alert rule") -> list[Rule]:
        """Return the rules of tables, if all of them can be evaluated."""
        rules = rules_of(tables, where)
        for rule in rules:
            check_dimensions(rule)
        return rules

    def create(self, tables: Sequence[Mapping[str, Any]], by: By) -> list[Rule]:
        """Make rules, all or none. Raises `ConflictError` for a name that is taken."""
        rules = self.validate(tables)
        known = self.rules()
        for rule in rules:
            if rule.name in known:
                raise ConflictError(f"alert rule {rule.name!r} exists already: update it instead")
        if len(known) + len(rules) > RULES_MAX:
            hint = "merge some by group_by"
            raise LimitedError("number of alert rules", len(known) + len(rules), RULES_MAX, hint)
        self._put(rules, {}, "rule.create", by)
        return rules

    def update(self, name: str, changes: Mapping[str, Any], by: By) -> Rule:
        """Change keys of a rule; None takes one back to its default. A rule of the configuration
        or of the package is hidden by the changed one.
        """
        before = self.rule(name).rule
        if changes.get("name", name) != name:
            raise ConflictError(f"alert rule {name!r} keeps its name: make another one")
        after = changed_rule(before, changes)
        check_dimensions(after)
        self._put([after], {name: before}, "rule.update", by)
        return after

    def enable(self, name: str, is_active: bool, by: By) -> Rule:
        """Switch a rule on or off."""
        return self.update(name, {"is_active": is_active}, by)

    def delete(self, name: str, by: By) -> KnownRule | None:
        """Take a rule away; return the one that it hid, None when there is none.

        Raises `ConflictError` for a rule of the configuration or of the package.
        """
        known = self.rule(name)
        if known.origin != "state":
            where = "configuration file" if known.origin == "configuration" else "package"
            raise ConflictError(
                f"alert rule {name!r} stands in the {where}: switch it off (alerts rules disable)"
            )
        state = AlertState.made(self._store)
        state.rules.delete(name)
        now_us = self._clock.now_us()
        state.audit.note(
            now_us, by.actor, by.door, "rule.delete", name, shown_table(known.rule), None
        )
        return self.rules().get(name)

    def _put(self, rules: Sequence[Rule], before: Mapping[str, Rule], what: str, by: By) -> None:
        state = AlertState.made(self._store)
        now_us = self._clock.now_us()
        state.rules.put(rules, now_us)
        for rule in rules:
            old = shown_table(before[rule.name]) if rule.name in before else None
            state.audit.note(now_us, by.actor, by.door, what, rule.name, old, shown_table(rule))
