"""Which group a fact belongs to when only its request id tells which call it is of.

A log event knows the request, not the message. Whoever knows both says so by a link. An event that
comes before its message waits in a group that is called like its request, and is moved from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contextframe_monitoring.ingest.transcripts.line_values import key_part
from contextframe_monitoring.ingest.transcripts.usage_fact import Door, UsageFact
from contextframe_monitoring.store.facts import FactRow

Links = dict[str, tuple[str, int]]
"""Name of a request -> group and time of its message."""

_FACT = msgspec.msgpack.Decoder(UsageFact)


def request_name(fact: UsageFact) -> str | None:
    """Return what links of the fact's request are called, None when it links nothing."""
    if fact.request_id is None or (fact.message_id is None and fact.door is not Door.EVENT):
        return None
    return f"{fact.provider}/request/{key_part(fact.request_id)}"


def at_home(
    facts: Sequence[UsageFact], names: Sequence[str | None], known: Mapping[str, str]
) -> tuple[list[UsageFact], Links]:
    """Return the facts, each in its group, and the links that were not `known`.

    `names` are those of their requests, fact by fact.
    """
    links: Links = {}
    for fact, name in zip(facts, names, strict=True):
        if name is not None and fact.message_id is not None and name not in known:
            home = (fact.group, fact.time_us)
            links[name] = min(links.get(name, home), home)
    found = []
    for fact, name in zip(facts, names, strict=True):
        if name is None or fact.message_id is not None:
            found.append(fact)
        else:
            home_group = known.get(name) or links.get(name, (name, 0))[0]
            found.append(msgspec.structs.replace(fact, group=home_group))
    return found, links


def moved(rows: Iterable[FactRow], links: Links) -> tuple[list[FactRow], list[FactRow]]:
    """Return all rows, those that waited for a link in the group that it names, and these alone."""
    found, strays = [], []
    for row in rows:
        home = links.get(row.group)
        if home is None:
            found.append(row)
            continue
        fact = msgspec.structs.replace(_FACT.decode(row.body), group=home[0])
        if fact.recorded is not None:
            recorded = msgspec.structs.replace(fact.recorded, group=home[0])
            fact = msgspec.structs.replace(fact, recorded=recorded)
        body = msgspec.msgpack.encode(fact)
        strays.append(msgspec.structs.replace(row, group=home[0], body=body))
    return [*found, *strays], strays
