"""Alerts by page and by change: what readers ask of a book that holds many. They change nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.alert import Alert, AlertState, Severity
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.alert_state import AlertState as State
from contextframe_monitoring.store.state import metadata
from contextframe_monitoring.store.store import Store

_alerts, _revisions = metadata.tables["alerts"], metadata.tables["alert_revisions"]
_INDEXES = (
    sa.Index("alerts_by_severity", _alerts.c.state, _alerts.c.severity, _alerts.c.revision),
    sa.Index(
        "alerts_by_rule", _alerts.c.rule, _alerts.c.state, _alerts.c.severity, _alerts.c.revision
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which alerts are meant: those with a revision after `after` and up to `up_to` (None: any)."""

    states: tuple[AlertState, ...]
    severities: Collection[Severity] | None = None
    rule: str | None = None
    after: int = 0
    up_to: int | None = None


class AlertPages:
    """The alerts of one store, as they are read. Everything raises `StoreError` for a bad one, and
    is empty where nothing was evaluated yet.
    """

    def __init__(self, store: Store) -> None:
        """Nothing is opened yet."""
        self._store = store
        self._known: sa.Engine | None = None

    def revision(self) -> int:
        """Return the number of the last change, 0 when there was none: one row is read."""
        engine = self._engine()
        if engine is None:
            return 0
        with engine.begin() as connection:
            return connection.scalar(sa.select(_revisions.c.revision)) or 0

    def changed(self, after: int, limit: int) -> list[str]:
        """Return the ids of alerts that fired or changed after a revision, the last ones first."""
        engine = self._engine()
        if engine is None:
            return []
        wanted = sa.select(_alerts.c.alert_id).where(
            _alerts.c.revision > after, _alerts.c.state != "pending"
        )
        with engine.begin() as connection:
            return list(connection.scalars(wanted.order_by(_alerts.c.revision.desc()).limit(limit)))

    def page(self, wanted: Filter, limit: int) -> tuple[list[Alert], int]:
        """Return the alerts that are meant, the last change first, and how many more there are."""
        engine = self._engine()
        if engine is None:
            return [], 0
        meant = _conditions(wanted)
        places = sa.select(_alerts.c.revision).where(*meant)
        places = places.order_by(_alerts.c.revision.desc()).limit(limit)
        count = sa.select(sa.func.count()).select_from(_alerts).where(*meant)
        with engine.begin() as connection:
            found = list(connection.scalars(places))
            total = int(connection.scalar(count) or 0)
            rows = sa.select(_alerts.c.body).where(_alerts.c.revision.in_(found))
            bodies = connection.scalars(rows.order_by(_alerts.c.revision.desc())).all()
        alerts = [msgspec.json.decode(body, type=Alert) for body in bodies]
        return alerts, max(total - len(alerts), 0)

    def firing(self) -> dict[Severity, int]:
        """Return how many alerts fire, by severity."""
        engine = self._engine()
        if engine is None:
            return {}
        counted = (
            sa.select(_alerts.c.severity, sa.func.count().label("number"))
            .where(_alerts.c.state == "firing")
            .group_by(_alerts.c.severity)
        )
        with engine.begin() as connection:
            return {row.severity: row.number for row in connection.execute(counted)}

    def _engine(self) -> sa.Engine | None:
        """Return the state that has the tables; whether it has them is asked once."""
        engine = self._store.engine
        if engine is None or engine is self._known:
            return engine
        if State.of(self._store) is None:
            return None
        with contextlib.suppress(StoreError):  # where we may not write it is slower, not wrong
            _index(engine)
        self._known = engine
        return engine


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found = [_alerts.c.state.in_(list(wanted.states)), _alerts.c.revision > wanted.after]
    if wanted.up_to is not None:
        found.append(_alerts.c.revision <= wanted.up_to)
    if wanted.severities is not None:
        found.append(_alerts.c.severity.in_(list(wanted.severities)))
    if wanted.rule is not None:
        found.append(_alerts.c.rule == wanted.rule)
    return found


def _index(engine: sa.Engine) -> None:
    """Make the indexes that a book of another version lacks; others may do so at the same time."""
    there = {found["name"] for found in sa.inspect(engine).get_indexes(_alerts.name)}
    missing = [index for index in _INDEXES if index.name not in there]
    if missing:
        with engine.begin() as connection:
            for index in missing:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
