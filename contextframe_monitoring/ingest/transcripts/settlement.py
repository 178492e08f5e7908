"""What is still to be recorded so that the sum of a fact's cost records is what the fact is now.

A record is never changed. A fact that grew gets one more record with the differences; one that
changed in anything else (its session, its day, whether it is priced at all) gets one that takes the
old back and one that states the new, so that sums by any dimension are right; one that turns out to
be a replay is taken back. `calls` counts calls: 1, 0 or -1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from contextframe_monitoring.core.records import CostRecord, Origin, Provenance
from contextframe_monitoring.ingest.transcripts.calls import counted_calls
from contextframe_monitoring.ingest.transcripts.usage_fact import OTLP, Door, UsageFact, merged
from contextframe_monitoring.store.facts import FactRow

Price = Callable[[UsageFact], tuple[int | None, str | None]]
"""Returns nano-dollars (None: unknown) and the id of the price."""

COST_TYPE = "llm"
OPERATION = "completion"
_MEASURES = (
    "amount_nano_usd",
    "units",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "reported_nano_usd",
)
_FACT = msgspec.msgpack.Decoder(UsageFact)


class _Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON in a record's `metadata`.

    `revision` numbers the records of one fact from 1; `calls` is what the record adds to their
    number: 1, 0 for a correction, -1 when it takes a call back.
    """

    revision: int = 0
    calls: int = 1
    service_tier: str | None = None
    speed: str | None = None
    web_searches: int = 0


_DETAILS = msgspec.json.Decoder(_Details)


def revision_of(metadata: str | None) -> int:
    """Return the revision that a cost record's `metadata` carries, 0 when it has none."""
    return _DETAILS.decode(metadata).revision if metadata else 0


def calls_of(metadata: str | None) -> int:
    """Return how many calls a cost record with this `metadata` adds."""
    return _DETAILS.decode(metadata).calls if metadata else 1


def settled(
    rows: Iterable[FactRow], seen: Iterable[UsageFact], price: Price, *, all_anew: bool = False
) -> tuple[list[FactRow], list[CostRecord]]:
    """Return the rows that change and the records to write when `rows` meet the `seen` facts.

    `rows` holds all facts of every group in `seen`. With `all_anew` facts that didn't change are
    priced too.
    """
    stored = {row.key: row for row in rows}
    bodies = {key: _FACT.decode(row.body) for key, row in stored.items()}
    known = {key: _as_seen(fact) for key, fact in bodies.items()}
    facts = dict(known)
    for fact in seen:
        facts[fact.key] = merged(facts[fact.key], fact) if fact.key in facts else fact
    groups: defaultdict[str, list[UsageFact]] = defaultdict(list)
    for fact in facts.values():
        groups[fact.group].append(fact)
    changed: list[FactRow] = []
    records: list[CostRecord] = []
    for members in groups.values():
        counted = counted_calls(members)
        for fact in members:
            row, call = stored.get(fact.key), counted.get(fact.key)
            if row is None or all_anew or _differs(row, bodies[fact.key], fact, call):
                new_row, new_records = _settled_fact(row, fact, call, price)
                if new_row != row:
                    changed.append(new_row)
                    records += new_records
    return changed, records


def _as_seen(fact: UsageFact) -> UsageFact:
    return fact if fact.recorded is None else msgspec.structs.replace(fact, recorded=None)


def _as_recorded(fact: UsageFact) -> UsageFact:
    return fact if fact.recorded is None else fact.recorded


def _differs(row: FactRow, body: UsageFact, fact: UsageFact, call: UsageFact | None) -> bool:
    """Whether a fact, or the call that it stands for, is another than what its row holds."""
    if fact != _as_seen(body) or (call is not None) != row.counted:
        return True
    return call is not None and call != _as_recorded(body)


def _settled_fact(
    row: FactRow | None, fact: UsageFact, call: UsageFact | None, price: Price
) -> tuple[FactRow, list[CostRecord]]:
    """`call` is what the fact counts as, completed by its witnesses; None when it doesn't."""
    before, amount, price_id = None, None, None
    revision = row.revision if row is not None else 0
    if row is not None and row.counted:
        before = bill(_as_recorded(_FACT.decode(row.body)), row.amount_nano_usd, row.price_id)
    if call is not None:
        amount, price_id = _priced(call, price)
    if call is not None and before is None:
        records = [bill(call, amount, price_id, revision + 1)]
    else:
        after = bill(call, amount, price_id) if call is not None else None
        found = enumerate(corrections(before, after), revision + 1)
        records = [marked(record, "revision", number) for number, record in found]
    new_row = FactRow(
        key=fact.key,
        group=fact.group,
        time_us=fact.time_us,
        revision=revision + len(records),
        counted=call is not None,
        amount_nano_usd=amount,
        price_id=price_id,
        body=msgspec.msgpack.encode(
            fact if call is None or call == fact else msgspec.structs.replace(fact, recorded=call)
        ),
    )
    return new_row, records


def _priced(call: UsageFact, price: Price) -> tuple[int | None, str | None]:
    """Return what a call cost.

    A transcript's own figure stands for the price of its time. What telemetry reports is the
    sender's estimate: it stands beside ours, and for it only where we know no price.
    """
    reported = call.reported_nano_usd
    if reported is not None and call.door is Door.TRANSCRIPT:
        return reported, None
    amount, price_id = price(call) if call.usage_known else (None, None)
    return (reported, None) if amount is None else (amount, price_id)


def bill(
    fact: UsageFact, amount_nano_usd: int | None, price_id: str | None, revision: int = 0
) -> CostRecord:
    """Return the whole of `fact` as one record, without a revision when that is 0."""
    known = fact.usage_known
    return CostRecord(
        time_us=fact.time_us,
        cost_type=COST_TYPE,
        provider=fact.provider,
        amount_nano_usd=amount_nano_usd,
        provenance=None if amount_nano_usd is None else _provenance(fact, price_id),
        model=fact.model,
        operation_id=fact.request_id,
        operation=fact.operation or OPERATION,
        units=fact.total_tokens if known else None,
        input_tokens=fact.input_tokens if known else None,
        cache_read_tokens=fact.cache_read_tokens if known else None,
        cache_write_5m_tokens=fact.cache_write_5m_tokens if known else None,
        cache_write_1h_tokens=fact.cache_write_1h_tokens if known else None,
        output_tokens=fact.output_tokens if known else None,
        reasoning_tokens=fact.reasoning_tokens,
        reported_nano_usd=fact.reported_nano_usd,
        price_id=price_id,
        source=fact.source,
        fact_id=fact.key,
        origin=_origin(fact.source, fact.session, fact.service, fact.agent),
        metadata=_metadata(revision, fact.service_tier, fact.speed, fact.web_searches),
        correlation_id=fact.trace,
        attributes=_attributes(fact),
    )


def _provenance(fact: UsageFact, price_id: str | None) -> Provenance:
    if fact.reported_nano_usd is not None and price_id is None:
        return "reported"
    return "computed" if fact.parts_known else "estimated"


def corrections(before: CostRecord | None, after: CostRecord | None) -> list[CostRecord]:
    """Return the records that lead from what was recorded to what is, either None for nothing."""
    if before is None or after is None:
        return [*([_taken_back(before)] if before else []), *([after] if after else [])]
    if _dimensions(before) != _dimensions(after):
        return [_taken_back(before), after]
    changes = {name: _difference(getattr(after, name), getattr(before, name)) for name in _MEASURES}
    delta = msgspec.structs.replace(after, **changes)
    return [marked(delta, "calls", 0)] if any(changes.values()) else []


def _taken_back(record: CostRecord) -> CostRecord:
    negatives = {name: _difference(None, getattr(record, name)) for name in _MEASURES}
    return marked(msgspec.structs.replace(record, **negatives), "calls", -1)


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None and before is None else (after or 0) - (before or 0)


def _dimensions(record: CostRecord) -> CostRecord:
    return msgspec.structs.replace(record, **dict.fromkeys(_MEASURES), price_id=None)


def marked(record: CostRecord, name: str, number: int) -> CostRecord:
    """Put a number in front of what `metadata` holds."""
    rest = (record.metadata or "{}")[1:]
    metadata = f'{{"{name}":{number}{"" if rest == "}" else ","}{rest}'
    return msgspec.structs.replace(record, metadata=metadata)


@lru_cache(maxsize=256)
def _metadata(revision: int, service_tier: str | None, speed: str | None, web_searches: int) -> str:
    details = _Details(
        revision=revision, service_tier=service_tier, speed=speed, web_searches=web_searches
    )
    return msgspec.json.encode(details).decode()


@lru_cache(maxsize=256)
def _origin(source: str, session: str | None, service: str | None, agent: str | None) -> Origin:
    """A coding agent is its own agent; telemetry names one, or only the service that sends it."""
    if source != OTLP:
        return Origin(agent_id=source, agent_source="client", session_id=session)
    return Origin(
        server=service,
        agent_id=agent,
        agent_source=None if agent is None else "application",
        session_id=session,
    )


def _attributes(fact: UsageFact) -> tuple[str, ...]:
    pairs = (("project", fact.project), ("subagent", fact.subagent))
    named = [f"{name}={value}" for name, value in pairs if value]
    flags = ["sidechain=true"] if fact.is_sidechain else []
    witnesses = [f"witness={name}" for name in fact.witnesses]
    disagreeing = [f"disagrees={name}" for name in fact.disagreeing]
    tools = [f"tool={name}" for name in fact.tools]
    return (*named, *flags, *witnesses, *disagreeing, *tools)
