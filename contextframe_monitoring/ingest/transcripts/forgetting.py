"""What imports remember of records that a person wants gone: their facts go too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.ingest.transcripts.settlement import bill
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import forget_all, forget_selected

if TYPE_CHECKING:
    from sqlalchemy import Engine

_FACT = msgspec.msgpack.Decoder(UsageFact)


def forget(engine: Engine, selection: Selection) -> int:
    """Forget the facts whose cost records are selected, and return their number.

    With them goes the knowledge that they were counted: a transcript that is read again from its
    start counts them again. Everything selected also forgets how far files were read. Raises
    `ConflictError` while an import is at work, or was cut off.
    """
    if selection.is_everything:
        return forget_all(engine)
    return forget_selected(
        engine, lambda body: selection.matches(bill(_FACT.decode(body), None, None))
    )
