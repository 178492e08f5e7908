"""The books of all imports: what is settled is recorded once, wherever the process dies.

Cost records go to the recorder, what was recorded stands in the state: two places that no
transaction spans. So each batch is written three times over, in this order:

1. one transaction takes the journal's only slot, reads the stored facts, works out the new rows and
   the records that are missing, and writes both, with the cursors of the files, to the journal;
2. the records are given to the recorder, which has them safe when it says so;
3. one transaction stores the rows and cursors and empties the slot.

A crash before the end of 1 leaves nothing behind: the cursors stand where they stood, and the same
lines give the same batch again. A crash later leaves the whole batch in the journal. `finish` then
carries it through before anything else: each record bears its fact's key and a revision, and the
revisions of a fact are recorded in ascending order, so those above the highest that stands in the
store or the spool are missing and exactly those are recorded; then comes step 3. A crash in
`finish` is one more crash in step 2 or 3. The slot also keeps two imports from settling the same
facts.

Three things are left to the caller. One import at a time runs in a store, under a lock of the
caller's that ends with the process: `finish` can't tell a batch that was cut off from one that is
being recorded this moment. `stored_facts` answers from everything that stands, undrained frames
included, and retention spares raw rows while the journal is not empty. And what "safe" means is the
recorder's promise: power loss may take the last second of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from contextframe_monitoring.core.errors import StoreError, UnavailableError
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.transcripts.homes import at_home, moved, request_name
from contextframe_monitoring.ingest.transcripts.marks import with_marks
from contextframe_monitoring.ingest.transcripts.settlement import Price, revision_of, settled
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store import facts as state
from contextframe_monitoring.store.facts import Connection, Cursor, Engine, FactRow

if TYPE_CHECKING:
    from contextframe_monitoring.store.catalogue import Catalogue
    from contextframe_monitoring.store.store import Store

Record = Callable[[CostRecord], bool]
StoredFacts = Callable[[Collection[str]], Mapping[str, int]]
"""Returns, of the given fact ids, the highest revision (`revision_of` its metadata) that stands in
store and spool."""

BATCH_VERSION = 1
PAGE_ROWS_MAX = 2000


class _Batch(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one step of an import changes; `stored` are the keys of those `rows` that exist."""

    version: int
    rows: list[FactRow]
    stored: list[str]
    records: list[CostRecord]
    cursors: list[Cursor]


_BATCH = msgspec.msgpack.Decoder(_Batch)


class Books:
    """Settles facts against the state behind `engine`, which has the tables of `store.facts`."""

    def __init__(
        self, engine: Engine, *, price: Price, record: Record, stored_facts: StoredFacts
    ) -> None:
        """`price` tells what facts cost, `record` takes records, `stored_facts` finds them."""
        self._engine = engine
        self._price = price
        self._record = record
        self._stored_facts = stored_facts

    def finish(self) -> list[CostRecord]:
        """Carry through the batch that an earlier import has begun; return what was missing."""
        with self._engine.connect() as connection:
            body = state.read_journal(connection)
        if body is None:
            return []
        batch = _decoded(body, str(self._engine.url))
        known = self._stored_facts({r.fact_id for r in batch.records if r.fact_id is not None})
        missing = [
            record
            for record in batch.records
            if revision_of(record.metadata) > known.get(record.fact_id or "", 0)
        ]
        return self._carry_through(batch, missing)

    def cursors(self, source: str) -> dict[str, Cursor]:
        """Return how far the files of `source` were read, by path."""
        with self._engine.connect() as connection:
            return state.read_cursors(connection, source)

    def settle(self, facts: Collection[UsageFact], cursors: Iterable[Cursor]) -> list[CostRecord]:
        """Record what `facts` change, move on the `cursors`, and return the records."""
        with self._engine.begin() as connection:
            state.claim_journal(connection)
            batch = self._settled(connection, facts, cursors)
            self._write_down(connection, batch)
        return self._carry_through(batch, batch.records)

    def _settled(
        self, connection: Connection, seen: Collection[UsageFact], cursors: Iterable[Cursor]
    ) -> _Batch:
        """Find the facts of the same calls, wherever they came in, and settle them together."""
        marked = with_marks(seen)
        names = [request_name(fact) for fact in marked]
        known = state.read_links(connection, {name for name in names if name is not None})
        facts, links = at_home(marked, names, known)
        groups = {fact.group for fact in facts} | set(links)
        stored, strays = moved(state.read_groups(connection, groups), links)
        rows, records = settled(stored, facts, self._price)
        settled_keys = {row.key for row in rows}
        rows += [row for row in strays if row.key not in settled_keys]
        state.write_links(connection, links)
        return _batch(stored, (rows, records), cursors)

    def cursors_of(self, source: str, paths: Collection[str]) -> dict[str, Cursor]:
        """Return how far these files or series of `source` were read."""
        with self._engine.connect() as connection:
            return state.read_cursors_of(connection, source, paths)

    def known_keys(self, groups: Collection[str]) -> set[str]:
        """Return the keys of the facts of these groups."""
        with self._engine.connect() as connection:
            return {row.key for row in state.read_groups(connection, groups)}

    def reprice(self) -> Iterator[list[CostRecord]]:
        """Price all counted facts again; yield the records of each page of them when it is done."""
        self.finish()
        after: str | None = ""
        while after is not None:
            with self._engine.begin() as connection:
                state.claim_journal(connection)
                page = state.read_page(connection, after, PAGE_ROWS_MAX)
                stored = state.read_groups(connection, {row.group for row in page})
                batch = _batch(stored, settled(stored, (), self._price, all_anew=True), ())
                self._write_down(connection, batch)
            yield self._carry_through(batch, batch.records)
            after = page[-1].key if len(page) == PAGE_ROWS_MAX else None

    def _write_down(self, connection: Connection, batch: _Batch) -> None:
        """Put the batch in the journal, or store it at once when it leaves nothing to record."""
        if batch.records:
            state.write_journal(connection, msgspec.msgpack.encode(batch))
        else:
            _store(connection, batch)

    def _carry_through(self, batch: _Batch, missing: list[CostRecord]) -> list[CostRecord]:
        """Record what is missing of a batch in the journal, then store it; return the missing."""
        for number, record in enumerate(missing):
            if not self._record(record):
                raise UnavailableError(
                    f"the recorder refused cost record {number + 1} of {len(missing)}: nothing is"
                    " lost or counted twice; see its status and run the import again"
                )
        if batch.records:
            with self._engine.begin() as connection:
                _store(connection, batch)
        return missing


def open_books(store: Store, catalogue: Catalogue, record: Record) -> Books:
    """Open the books of a store, which is made where it is missing. Raises `StoreError`."""
    from contextframe_monitoring.ingest.transcripts.catalogue_price import catalogue_price
    from contextframe_monitoring.store.revisions import stored_revisions

    engine = store.create()
    state.create_tables(engine)
    return Books(
        engine,
        price=catalogue_price(catalogue),
        record=record,
        stored_facts=lambda ids: stored_revisions(store, ids, revision_of),
    )


def _batch(
    stored: Iterable[FactRow],
    settlement: tuple[list[FactRow], list[CostRecord]],
    cursors: Iterable[Cursor],
) -> _Batch:
    rows, records = settlement
    changed = {row.key for row in rows} & {row.key for row in stored}
    return _Batch(
        version=BATCH_VERSION,
        rows=rows,
        stored=sorted(changed),
        records=records,
        cursors=list(cursors),
    )


def _store(connection: Connection, batch: _Batch) -> None:
    state.write_facts(connection, batch.rows, batch.stored)
    state.write_cursors(connection, batch.cursors)
    state.clear_journal(connection)


def _decoded(body: bytes, store: str) -> _Batch:
    try:
        batch = _BATCH.decode(body)
    except msgspec.DecodeError as error:
        raise _foreign_journal(store) from error
    if batch.version != BATCH_VERSION:
        raise _foreign_journal(store)
    return batch


def _foreign_journal(store: str) -> StoreError:
    return StoreError(
        store,
        "its import journal holds a batch of another version",
        "run the import once with the version that began it",
    )
