"""The alerts of a store that are open or were so lately, in its state. History stands in Lance.

What happened to an alert is written beside it in one transaction, and waits there (`outbox`) until
the keeper has recorded it into the history: a kill between the two repeats an entry, which its
alert and revision give away, and loses none.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.alert import Alert, AlertAction, AlertState, Severity
from contextframe_monitoring.core.records import AlertRecord, Origin
from contextframe_monitoring.core.rule_step import Memory
from contextframe_monitoring.core.selection import Selection
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
_memories = sa.Table(
    "alert_memories",
    metadata,
    sa.Column("place", sa.String(64), primary_key=True),
    sa.Column("rule", sa.String(256), nullable=False),
    sa.Column("labels", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_outbox = sa.Table(
    "alert_outbox",
    metadata,
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_ONE = 1
_FIRING: tuple[AlertState, ...] = ("firing",)
_IDS_PER_QUERY = 500


class Place(NamedTuple):
    """One rule and one group of it: the values of its `group_by`, in that order."""

    rule: str
    labels: tuple[str, ...] = ()


class Entry(NamedTuple):
    """An alert as it is now, and what happened to it (None: nothing for the history)."""

    alert: Alert
    action: AlertAction | None = None
    actor: str | None = None
    note: str | None = None


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
        return self.change((), lambda _: [Entry(alert) for alert in alerts]) if alerts else []

    def change(
        self,
        ids: Collection[str],
        decide: Callable[[Mapping[str, Alert]], Sequence[Entry]],
        *,
        memories: Mapping[Place, Memory | None] | None = None,
        forget: Collection[str] = (),
        open_of_rule: str | None = None,
    ) -> list[Alert]:
        """Let `decide` make new entries of the alerts with these ids, and of all open ones of a
        rule, as they stand now, and write them; return the alerts written, with their revisions.

        Nobody else changes an alert in between, and all is one transaction: `memories` (None: the
        place is inactive again) and the alerts that nobody needs any more too.
        """
        with self._engine.begin() as connection:
            last = _advance(connection, 0)  # takes the lock of all writers
            entries = decide({**_read(connection, ids), **_open(connection, open_of_rule)})
            written = [
                entry._replace(alert=dataclasses.replace(entry.alert, revision=last + place))
                for place, entry in enumerate(entries, 1)
            ]
            _advance(connection, len(written))
            _delete(connection, [*(entry.alert.alert_id for entry in written), *forget])
            if written:
                connection.execute(_alerts.insert(), [_row(entry.alert) for entry in written])
            told = [entry for entry in written if entry.action is not None]
            if told:
                connection.execute(_outbox.insert(), [_event(entry) for entry in told])
            _remember(connection, memories or {})
        return [entry.alert for entry in written]

    def get(self, alert_id: str) -> Alert | None:
        """Return one alert, None when there is none of this id."""
        with self._engine.begin() as connection:
            return _read(connection, [alert_id]).get(alert_id)

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

    def count(self, states: Collection[AlertState] = _FIRING) -> int:
        """Return how many alerts are in one of these states."""
        wanted = sa.select(sa.func.count()).where(_alerts.c.state.in_(list(states)))
        with self._engine.begin() as connection:
            return int(connection.scalar(wanted.select_from(_alerts)) or 0)

    def drop_resolved(self, before_us: int) -> int:
        """Take out alerts that were resolved before a time; return how many."""
        with self._engine.begin() as connection:
            _advance(connection, 0)
            bodies = connection.scalars(
                sa.select(_alerts.c.body).where(
                    _alerts.c.state == "resolved", _alerts.c.created_us < before_us
                )
            ).all()
            found = [msgspec.json.decode(body, type=Alert) for body in bodies]
            old = [a.alert_id for a in found if (a.resolved_us or a.changed_us) < before_us]
            _delete(connection, old)
        return len(old)

    def forget(self, selection: Selection) -> int:
        """Erase the alerts about an agent or a session, or those that last changed before a time,
        and what is remembered of them; return how many.
        """
        with self._engine.begin() as connection:
            _advance(connection, 0)
            bodies = connection.scalars(sa.select(_alerts.c.body)).all()
            alerts = [msgspec.json.decode(body, type=Alert) for body in bodies]
            gone = [alert.alert_id for alert in alerts if _is_meant(selection, alert)]
            _delete(connection, gone)
            memories = connection.execute(sa.select(_memories)).all()
            places = [
                row.place
                for row in memories
                if selection.is_everything
                or msgspec.json.decode(row.body, type=Memory).alert_id in set(gone)
            ]
            for some in _parts(places):
                connection.execute(_memories.delete().where(_memories.c.place.in_(some)))
            for row in connection.execute(sa.select(_outbox)).all():
                if selection.matches(msgspec.msgpack.decode(row.body, type=AlertRecord)):
                    same = _outbox.c.revision == row.revision
                    connection.execute(_outbox.delete().where(same))
        return len(gone)

    def memories(self) -> dict[Place, Memory]:
        """Return what is remembered of every rule and group that is not inactive."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(_memories)).all()
        return {
            Place(row.rule, tuple(msgspec.json.decode(row.labels, type=list[str]))): (
                msgspec.json.decode(row.body, type=Memory)
            )
            for row in rows
        }

    def outbox(self, limit: int = 10_000) -> list[AlertRecord]:
        """Return the entries that the history does not hold yet, the oldest first."""
        wanted = sa.select(_outbox.c.body).order_by(_outbox.c.revision).limit(limit)
        with self._engine.begin() as connection:
            bodies = connection.scalars(wanted).all()
        return [msgspec.msgpack.decode(body, type=AlertRecord) for body in bodies]

    def told(self, up_to_revision: int) -> None:
        """Take out of the outbox what the history holds by now."""
        with self._engine.begin() as connection:
            connection.execute(_outbox.delete().where(_outbox.c.revision <= up_to_revision))


def _is_meant(selection: Selection, alert: Alert) -> bool:
    group = alert.group
    return (
        (selection.before_us is None or alert.changed_us < selection.before_us)
        and (selection.agent_id is None or group.get("agent") == selection.agent_id)
        and (selection.session_id is None or group.get("session") == selection.session_id)
    )


def _advance(connection: sa.Connection, by: int) -> int:
    """Take `by` revisions; return the one before the first of them."""
    moved = connection.execute(
        _revisions.update().values(revision=_revisions.c.revision + by)
    ).rowcount
    if not moved:
        connection.execute(_revisions.insert().values(one=_ONE, revision=by))
    return int(connection.scalar(sa.select(_revisions.c.revision)) or by) - by


def _read(connection: sa.Connection, ids: Collection[str]) -> dict[str, Alert]:
    found: dict[str, Alert] = {}
    for some in _parts(ids):
        wanted = sa.select(_alerts.c.body).where(_alerts.c.alert_id.in_(some))
        for body in connection.scalars(wanted):
            alert = msgspec.json.decode(body, type=Alert)
            found[alert.alert_id] = alert
    return found


def _open(connection: sa.Connection, rule: str | None) -> dict[str, Alert]:
    if rule is None:
        return {}
    wanted = sa.select(_alerts.c.body).where(
        _alerts.c.rule == rule, _alerts.c.state.in_(("pending", "firing"))
    )
    found = [msgspec.json.decode(body, type=Alert) for body in connection.scalars(wanted)]
    return {alert.alert_id: alert for alert in found}


def _delete(connection: sa.Connection, ids: Collection[str]) -> None:
    for some in _parts(ids):
        connection.execute(_alerts.delete().where(_alerts.c.alert_id.in_(some)))


def _remember(connection: sa.Connection, memories: Mapping[Place, Memory | None]) -> None:
    keys = {_place_key(place): place for place in memories}
    for some in _parts(keys):
        connection.execute(_memories.delete().where(_memories.c.place.in_(some)))
    rows = [
        {
            "place": key,
            "rule": place.rule,
            "labels": msgspec.json.encode(place.labels).decode(),
            "body": msgspec.json.encode(memory),
        }
        for key, place in keys.items()
        if (memory := memories[place]) is not None
    ]
    if rows:
        connection.execute(_memories.insert(), rows)


def _parts(ids: Iterable[str]) -> list[list[str]]:
    whole = list(ids)
    return [whole[at : at + _IDS_PER_QUERY] for at in range(0, len(whole), _IDS_PER_QUERY)]


def _place_key(place: Place) -> str:
    return hashlib.blake2b(msgspec.json.encode(place), digest_size=16).hexdigest()


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


def _event(entry: Entry) -> dict[str, object]:
    alert = entry.alert
    record = AlertRecord(
        time_us=alert.changed_us,
        alert_id=alert.alert_id,
        revision=alert.revision,
        action=entry.action or "commented",
        rule=alert.rule,
        signal=alert.signal,
        severity=alert.severity,
        state=alert.state,
        message=alert.message,
        groups=tuple(f"{key}={value}" for key, value in alert.group.items()),
        unit=alert.unit,
        threshold=alert.threshold,
        actual=alert.actual,
        actor=entry.actor,
        note=entry.note,
        incident_id=alert.incident_id,
        created_us=alert.created_us,
        fired_us=alert.fired_us,
        acknowledged_us=alert.acknowledged_us,
        resolved_us=alert.resolved_us,
        origin=Origin(
            agent_id=alert.group.get("agent"),
            session_id=alert.group.get("session"),
            user_id=alert.group.get("user"),
        ),
    )
    return {"revision": alert.revision, "body": msgspec.msgpack.encode(record)}
