"""Facts of the Python API and the tools priced again, from what stands in the table.

Nothing that was recorded changes. A fact whose price changed gets one more record with the
difference; one whose price becomes known (or is no longer) gets one that takes it back and one that
states it anew: the same form in which importers correct theirs. Each of these names the fact they
belong to (`fact`: writer and seq of its first record) and carries a revision, so what was done is
read off the table: a second run adds nothing, and one that was cut off is carried on by the next.

Left alone are costs that somebody reported or billed, and imported facts, whose books know more
(`Books.reprice`). One repricing at a time runs in a store, under a lock of the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from contextframe_monitoring.core.priced_by import TOKEN_COLUMNS, priced_by, usage_of_fact
from contextframe_monitoring.core.prices import Cost
from contextframe_monitoring.core.records import CostRecord, Origin, Provenance
from contextframe_monitoring.core.service_prices import ServiceKind
from contextframe_monitoring.core.windows import to_us
from contextframe_monitoring.ingest.cost import SOURCE
from contextframe_monitoring.ingest.transcripts.settlement import corrections, marked
from contextframe_monitoring.store.cost_rows import rows_of_source
from contextframe_monitoring.store.snapshot import Snapshot

if TYPE_CHECKING:
    from contextframe_monitoring.store.catalogue import Catalogue

_ORIGIN = tuple(
    name for name in Origin.__struct_fields__ if name not in {"transport", "protocol_version"}
)
_PLAIN = tuple(
    name
    for name in CostRecord.__struct_fields__
    if name not in {"time_us", "origin", "correlation_id", "attributes"}
)
_COLUMNS = ("timestamp", "writer", "seq", *_PLAIN, *_ORIGIN, "correlation_id", "attributes")
_SERVICES = ("storage", "bandwidth", "compute", "api")


@dataclass(slots=True)
class Repricing:
    """What a repricing did. `changed` facts have another cost now, by `change_nano_usd` together;
    `unknown` counts those still without a price by (provider, model).
    """

    facts: int = 0
    changed: int = 0
    change_nano_usd: int = 0
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)


class _Correction(msgspec.Struct, frozen=True):
    """What the metadata of a correction says."""

    revision: int = 0
    calls: int = 1
    fact: str | None = None


@dataclass(slots=True)
class _Standing:
    """What the corrections of one fact have made of it."""

    revision: int = 0
    calls: int = 1
    change_nano_usd: int = 0
    provenance: Provenance | None = None
    is_restated: bool = False


_FIRST = _Correction()
_REVISED = '{"revision":'
_CORRECTION = msgspec.json.Decoder(_Correction)


def reprice_facts(
    snapshot: Snapshot, catalogue: Catalogue, record: Callable[[CostRecord], bool]
) -> Repricing:
    """Price the facts again and give `record` what is missing.

    Raises `UnavailableError` when it refuses: the next run goes on from there.
    """
    known = _standings(snapshot)
    done = Repricing()
    for row in _facts(snapshot):
        done.facts += 1
        name = _name(row)
        standing = known.get(name, _Standing())
        cost = _cost(row, catalogue)
        if cost.amount_nano_usd is None:
            done.unknown[(row["provider"] or "(none)", row["model"] or "(none)")] += 1
        found = _corrections(row, name, standing, cost)
        for number, correction in enumerate(found, standing.revision + 1):
            if not record(marked(correction, "revision", number)):
                raise UnavailableError(
                    "the recorder refused a correction: nothing is lost or counted twice; "
                    "see its status and run this again"
                )
        done.changed += bool(found)
        done.change_nano_usd += sum(one.amount_nano_usd or 0 for one in found)
    return done


def _standings(snapshot: Snapshot) -> dict[str, _Standing]:
    """Return what corrections say, by fact; a fact without corrections is not among them."""
    found: list[tuple[int, _Correction, Mapping[str, Any]]] = []
    columns = ("amount_nano_usd", "provenance", "metadata")
    for row in rows_of_source(snapshot, columns, SOURCE, metadata_has='"fact":"'):
        details = _decoded(row["metadata"])
        if details is not None and details.fact is not None and details.revision:
            found.append((details.revision, details, row))
    standings: dict[str, _Standing] = {}
    for revision, details, correction in sorted(found, key=lambda item: item[0]):
        standing = standings.setdefault(details.fact or "", _Standing())
        standing.revision = revision
        standing.calls += details.calls
        standing.change_nano_usd += correction["amount_nano_usd"] or 0
        if details.calls == 1:
            standing.is_restated, standing.provenance = True, correction["provenance"]
    return standings


def _facts(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Yield the rows of facts that may be priced again, as they were first recorded."""
    for row in rows_of_source(snapshot, _COLUMNS, SOURCE):
        details = _decoded(row["metadata"])
        if row["provenance"] in (None, "computed") and details == _FIRST:
            yield row


def _decoded(metadata: str | None) -> _Correction | None:
    """Return None for a correction that was cut: then nothing is known of its fact."""
    if not metadata or not metadata.startswith(_REVISED):
        return _FIRST
    try:
        return _CORRECTION.decode(metadata)
    except ValueError:
        return None


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['writer']}-{row['seq']}"


def _cost(row: Mapping[str, Any], catalogue: Catalogue) -> Cost:
    """Return the cost of a row by today's price list, at the time of the row."""
    time_us, kind = to_us(row["timestamp"]), row["cost_type"]
    try:
        if kind in _SERVICES:
            quantity = priced_by(row["metadata"]).quantity
            return catalogue.service_cost(
                cast("ServiceKind", kind),
                row["operation"],
                row["units"] or 0 if quantity is None else quantity,
                time_us,
                name=row["provider"],
            )
        if row["model"] is None or all(row[name] is None for name in TOKEN_COLUMNS):
            return Cost(amount_nano_usd=None, reason="nothing that could be priced")
        usage = usage_of_fact(row, row["metadata"])
        return catalogue.cost(row["provider"], row["model"], usage, time_us)
    except (InvalidError, ValueError) as error:
        return Cost(amount_nano_usd=None, reason=str(error))


def _corrections(
    row: Mapping[str, Any], name: str, standing: _Standing, cost: Cost
) -> list[CostRecord]:
    """Return the records that lead from what stands to what the price list says."""
    first = _record(row, name)
    stated: Provenance | None = standing.provenance if standing.is_restated else first.provenance
    before = None
    if standing.calls > 0:
        amount = None
        if stated is not None:
            amount = (first.amount_nano_usd or 0) + standing.change_nano_usd
        before = msgspec.structs.replace(first, amount_nano_usd=amount, provenance=stated)
    after = msgspec.structs.replace(
        first,
        amount_nano_usd=cost.amount_nano_usd,
        provenance=None if cost.amount_nano_usd is None else "computed",
        price_id=cost.price_id,
    )
    return corrections(before, after)


def _record(row: Mapping[str, Any], name: str) -> CostRecord:
    """Return a row as a record that names the fact it belongs to."""
    given = (row["metadata"] or "{}")[:-1]
    plain = {key: row[key] for key in _PLAIN}
    plain["metadata"] = f'{given}{"" if given == "{" else ","}"fact":"{name}"}}'  # the last counts
    return CostRecord(
        time_us=to_us(row["timestamp"]),
        origin=Origin(**{key: row[key] for key in _ORIGIN}),
        correlation_id=row["correlation_id"],
        attributes=tuple(row["attributes"] or ()),
        **plain,
    )
