"""A selection of records as an SQL condition over a table's rows."""

from __future__ import annotations

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.schemas import SCHEMAS
from contextframe_monitoring.store.tables import time_column, time_literal


def condition(table: str, selection: Selection, batch: int) -> str:
    """Return what rows of batches up to `batch` meet when they are selected.

    Rollup rows have no session: nothing of them is meant by one.
    """
    parts = [f"batch <= {batch}"]
    if selection.before_us is not None:
        parts.append(f"{time_column(table)} < {time_literal(selection.before_us)}")
    if selection.agent_id is not None:
        parts.append(f"agent_id = {text_literal(selection.agent_id)}")
    if selection.session_id is not None:
        has_sessions = "session_id" in SCHEMAS[table].names
        parts.append(
            f"session_id = {text_literal(selection.session_id)}" if has_sessions else "false"
        )
    return " AND ".join(parts)


def text_literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"
