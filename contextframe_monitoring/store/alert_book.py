"""The alerts of a store that are open or were so lately, in its state. History stands in Lance."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.alert import Alert, AlertState, Severity
from contextframe_monitoring.store.state import metadata

_alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.String(64), primary_key=True),
    sa.Column("rule", sa.String(256), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("alerts_by_state", "state", "revision"),
)
_revisions = sa.Table(
    "alert_revisions",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
_ONE = 1
_FIRING: tuple[AlertState, ...] = ("firing",)


class AlertBook:
    """The alerts of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def revision(self) -> int:
        """Return the number of the last change, 0 when there was none."""
        with self._engine.begin() as connection:
            return connection.scalar(sa.select(_revisions.c.revision)) or 0

    def put(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Write alerts as they are now, new ones and changed ones; return them with their
        revisions.

        One transaction: a reader sees all of them or none.
        """
        if not alerts:
            return []
        with self._engine.begin() as connection:
            last = _advance(connection, len(alerts))
            written = [
                dataclasses.replace(alert, revision=last + place)
                for place, alert in enumerate(alerts, 1)
            ]
            ids = [alert.alert_id for alert in written]
            connection.execute(_alerts.delete().where(_alerts.c.alert_id.in_(ids)))
            connection.execute(_alerts.insert(), [_row(alert) for alert in written])
        return written

    def get(self, alert_id: str) -> Alert | None:
        """Return one alert, None when there is none of this id."""
        with self._engine.begin() as connection:
            body = connection.scalar(
                sa.select(_alerts.c.body).where(_alerts.c.alert_id == alert_id)
            )
        return None if body is None else msgspec.json.decode(body, type=Alert)

    def find(
        self,
        *,
        states: Collection[AlertState] = _FIRING,
        severities: Collection[Severity] | None = None,
        rule: str | None = None,
        after_revision: int = 0,
        limit: int = 1000,
    ) -> list[Alert]:
        """Return alerts in the order of their last change, the newest last."""
        wanted = sa.select(_alerts.c.body).where(
            _alerts.c.state.in_(list(states)), _alerts.c.revision > after_revision
        )
        if severities is not None:
            wanted = wanted.where(_alerts.c.severity.in_(list(severities)))
        if rule is not None:
            wanted = wanted.where(_alerts.c.rule == rule)
        with self._engine.begin() as connection:
            bodies = connection.scalars(wanted.order_by(_alerts.c.revision).limit(limit)).all()
        return [msgspec.json.decode(body, type=Alert) for body in bodies]


def _advance(connection: sa.Connection, by: int) -> int:
    """Take `by` revisions; return the one before the first of them."""
    moved = connection.execute(
        _revisions.update().values(revision=_revisions.c.revision + by)
    ).rowcount
    if not moved:
        connection.execute(_revisions.insert().values(one=_ONE, revision=by))
    return int(connection.scalar(sa.select(_revisions.c.revision)) or by) - by


def _row(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": alert.state,
        "created_us": alert.created_us,
        "revision": alert.revision,
        "body": msgspec.json.encode(alert),
    }
