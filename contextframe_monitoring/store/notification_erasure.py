"""What a purge takes from the notes about notifications and code reviews."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.code_reviews import REVIEWS
from contextframe_monitoring.store.notification_log import NOTED, TOLD


def erase_notifications(engine: sa.Engine, selection: Selection) -> int:
    """Delete every note that is old enough and names the agent and the session; return how many.

    Notes are made of words, not of rows: one that holds the name anywhere is meant. What is left
    of a topic is told anew if it still fires; the pause between code reviews may begin anew too.
    """
    places = (
        (NOTED, NOTED.c.number, NOTED.c.at_us),
        (TOLD, TOLD.c.thread, TOLD.c.changed_us),
        (REVIEWS, REVIEWS.c.review_id, REVIEWS.c.scheduled_us),
    )
    with engine.begin() as connection:
        return sum(_erase(connection, *place, selection) for place in places)


def _erase(
    connection: sa.Connection,
    table: sa.Table,
    key: sa.Column[int] | sa.Column[str],
    time_us: sa.Column[int],
    selection: Selection,
) -> int:
    wanted = sa.select(key, table.c.body)
    if selection.before_us is not None:
        wanted = wanted.where(time_us < selection.before_us)
    names = [name for name in (selection.agent_id, selection.session_id) if name is not None]
    keys = {
        found
        for found, body in connection.execute(wanted).all()
        if all(_names(msgspec.json.decode(body), name) for name in names)
    }
    for one in keys:
        connection.execute(table.delete().where(key == one))
    return len(keys)


def _names(value: object, name: str) -> bool:
    """Return whether a name stands anywhere in a decoded note."""
    if isinstance(value, str):
        return name in value
    if isinstance(value, dict):
        return any(_names(part, name) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_names(part, name) for part in value)
