"""What the state of a store holds about alerts, opened together: one door for all who ask."""

from __future__ import annotations

from typing import Self

import sqlalchemy as sa

from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.audit import Audit
from contextframe_monitoring.store.evaluations import Evaluations
from contextframe_monitoring.store.rule_book import RuleBook
from contextframe_monitoring.store.silences import Silences
from contextframe_monitoring.store.store import Store

_TABLE = "alert_evaluations"
"""The youngest table of this room: a state that has it has all."""


class AlertState:
    """Book, rules, silences, audit and notes of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state that has the tables."""
        self.book, self.rules = AlertBook(engine), RuleBook(engine)
        self.silences, self.audit = Silences(engine), Audit(engine)
        self.evaluations = Evaluations(engine)

    @classmethod
    def made(cls, store: Store) -> Self:
        """Return it, made where it does not exist. Raises `StoreError` where that can't be."""
        found = cls.of(store)
        return found if found is not None else cls(store.create())

    @classmethod
    def of(cls, store: Store) -> Self | None:
        """Return it, None where a store has none yet. Raises `StoreError` for a bad one."""
        engine = store.engine
        if engine is None or not sa.inspect(engine).has_table(_TABLE):
            return None
        return cls(engine)
