"""Log events of Claude Code: `api_request` tells of one call, with the request id that its
transcript has too. All other records are taken and dropped: they hold contents, or nothing to
count.
"""

from __future__ import annotations

import hashlib

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.ingest.otlp.bodies import Document
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.ingest.otlp.spans import Place, scope_name
from contextframe_monitoring.ingest.otlp.values import (
    Attributes,
    attributes,
    checked_count,
    cost_nano_usd,
    count,
    identity,
    items,
    text,
    time_us,
)
from contextframe_monitoring.ingest.transcripts.line_values import key_part
from contextframe_monitoring.ingest.transcripts.marks import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.usage_fact import (
    MODEL_CHARS_MAX,
    Door,
    UsageFact,
)

SCOPE = "com.anthropic.claude_code"
_EVENTS_SCOPE = f"{SCOPE}.events"
_REQUEST = frozenset({"api_request", "claude_code.api_request"})
_PROVIDER = "anthropic"
_MICROS_MAX = 10**12


def read_logs(document: Document) -> Reading:
    """Return what the log records of a document tell."""
    reading = Reading()
    for resource in items(document, "resourceLogs"):
        told = attributes(resource.get("resource"))
        for scoped in items(resource, "scopeLogs"):
            place = Place(text(told, "service.name"), scope_name(scoped), told)
            for record in items(scoped, "logRecords"):
                try:
                    _read(record, place, reading)
                except InvalidError as error:
                    reading.refuse(error)
    return reading


def _read(record: Document, place: Place, reading: Reading) -> None:
    found = attributes(record)
    name = text(found, "event.name") or text(record, "eventName")
    if name not in _REQUEST or (name == "api_request" and place.scope != _EVENTS_SCOPE):
        return
    reading.facts.append(_fact(record, found, place))


def _fact(record: Document, found: Attributes, place: Place) -> UsageFact:
    when_us = time_us(record, "timeUnixNano", "observedTimeUnixNano")
    request = identity(found, "request_id")
    session = identity(found, "session.id")
    model = text(found, "model", chars_max=MODEL_CHARS_MAX)
    counts = [
        count(found, name)
        for name in (
            "input_tokens",
            "cache_read_tokens",
            "cache_creation_tokens",
            "output_tokens",
        )
    ]
    if request is not None:
        group = f"{_PROVIDER}/request/{key_part(request)}"
    else:
        told = repr((session, model, when_us, counts)).encode()
        group = f"{CLAUDE_CODE}/event/{hashlib.blake2b(told, digest_size=16).hexdigest()}"
    return UsageFact(
        key=f"{group}/event",
        group=group,
        source=CLAUDE_CODE,
        provider=_PROVIDER,
        time_us=when_us,
        line_us=when_us,
        model=model,
        input_tokens=counts[0] or 0,
        cache_read_tokens=counts[1] or 0,
        cache_write_5m_tokens=counts[2] or 0,
        cache_write_1h_tokens=0,
        output_tokens=counts[3] or 0,
        usage_known=any(value is not None for value in counts),
        reported_nano_usd=_cost(found),
        speed=text(found, "speed"),
        request_id=request,
        session=session,
        door=Door.EVENT,
        service=place.service,
        scope=SCOPE,
    )


def _cost(found: Attributes) -> int | None:
    micros = found.get("cost_usd_micros")
    if micros is not None:
        return checked_count("cost_usd_micros", micros, _MICROS_MAX) * 1000
    cost = found.get("cost_usd")
    return None if cost is None else cost_nano_usd("cost_usd", cost)
