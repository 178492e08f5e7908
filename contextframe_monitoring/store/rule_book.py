"""The alert rules that were made or changed while the program runs, in the state of the store."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.store.state import metadata

_rules = sa.Table(
    "alert_rules",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class RuleBook:
    """The rules of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def rules(self) -> list[Rule]:
        """Return all rules by name. Raises `InvalidError` for one that this version refuses."""
        with self._engine.begin() as connection:
            bodies = connection.scalars(sa.select(_rules.c.body).order_by(_rules.c.name)).all()
        return [rule_of(msgspec.json.decode(body)) for body in bodies]

    def created_us(self) -> dict[str, int]:
        """Return when each rule was made."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(_rules.c.name, _rules.c.created_us)).all()
        return {row.name: row.created_us for row in rows}

    def put(self, rules: Iterable[Rule], now_us: int) -> None:
        """Write rules, new ones and changed ones, all or none."""
        with self._engine.begin() as connection:
            for rule in rules:
                row = {"changed_us": now_us, "body": msgspec.json.encode(rule)}
                same = _rules.c.name == rule.name
                if not connection.execute(_rules.update().where(same).values(row)).rowcount:
                    row.update(name=rule.name, created_us=now_us)
                    connection.execute(_rules.insert().values(row))

    def delete(self, name: str) -> bool:
        """Take out a rule; return whether there was one."""
        with self._engine.begin() as connection:
            return bool(connection.execute(_rules.delete().where(_rules.c.name == name)).rowcount)
