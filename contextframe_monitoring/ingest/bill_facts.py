"""Bills become `billed` cost facts: what a provider says, kept beside what we computed, in no sum.

One fact per provider, UTC day and model, named by them: a bill that is read again adds nothing, one
that has grown since adds the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.reconciliation import Billed, Place
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.core.windows import to_us
from contextframe_monitoring.ingest.transcripts.settlement import revision_of
from contextframe_monitoring.store.cost_rows import rows_of_source
from contextframe_monitoring.store.snapshot import Snapshot

SOURCE = "bill"
OPERATION = "bill"


def store_bill(
    snapshot: Snapshot,
    provider: str,
    billed: Mapping[Place, Billed],
    record: Callable[[CostRecord], bool],
) -> int:
    """Record what the bill says and the store doesn't; return how many records that took.

    Raises `UnavailableError` when one is refused: the next run goes on from there.
    """
    known = _known(snapshot)
    stored = 0
    for (day, model), one in sorted(
        billed.items(), key=lambda item: (item[0][0], item[0][1] or "")
    ):
        if one.nano_usd is None:
            continue
        fact_id = f"{SOURCE}:{provider}:{day}:{model or ''}"
        before, revision = known.get(fact_id, (0, 0))
        if revision and before == one.nano_usd:
            continue
        calls = ',"calls":0' if revision else ""
        fact = CostRecord(
            time_us=to_us(datetime.fromisoformat(day).replace(tzinfo=UTC)),
            cost_type="llm",
            provider=provider,
            model=model,
            operation=OPERATION,
            amount_nano_usd=one.nano_usd - before,
            provenance="billed",
            source=SOURCE,
            fact_id=fact_id,
            metadata=f'{{"revision":{revision + 1}{calls}}}',
        )
        if not record(fact):
            raise UnavailableError("the recorder refused the bill: see its status, run this again")
        stored += 1
    return stored


def _known(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Return (nano-dollars, revision) of the billed facts by id."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows_of_source(snapshot, ("fact_id", "amount_nano_usd", "metadata"), SOURCE):
        amount, revision = found.get(row["fact_id"], (0, 0))
        found[row["fact_id"]] = (
            amount + (row["amount_nano_usd"] or 0),
            max(revision, revision_of(row["metadata"])),
        )
    return found
