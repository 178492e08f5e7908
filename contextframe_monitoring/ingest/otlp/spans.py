"""Spans: calls of models (`gen_ai.*`, `llm.*`) become cost facts, those of MCP servers operations.

One span per provider call costs something: not the spans of agents, chains, tools and workflows
around it, and never `gen_ai.aggregated_usage.*`. Two spans of one call are told apart from two
calls where facts are settled (`ingest.transcripts.calls`). Contents are never looked at.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.model_names import canonical_provider
from contextframe_monitoring.ingest.otlp.bodies import Document
from contextframe_monitoring.ingest.otlp.mcp_spans import METHOD, mcp_operation
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.ingest.otlp.usage_attributes import SpanUsage, span_usage
from contextframe_monitoring.ingest.otlp.values import (
    Attributes,
    attributes,
    cost_nano_usd,
    hex_id,
    identity,
    items,
    text,
    time_us,
)
from contextframe_monitoring.ingest.transcripts.line_values import key_part
from contextframe_monitoring.ingest.transcripts.marks import trace_group
from contextframe_monitoring.ingest.transcripts.usage_fact import (
    MODEL_CHARS_MAX,
    OTLP,
    UNKNOWN,
    Door,
    UsageFact,
)

_CALLS = frozenset(
    {
        "chat",
        "completion",
        "text_completion",
        "generate_content",
        "embeddings",
        "embedding",
        "responses",
        "response",
        "message",
        "rerank",
        "llm",
    }
)
"""Operations of a model, in lower case: without usage their cost is unknown."""
_AROUND = frozenset(
    {
        "invoke_agent",
        "create_agent",
        "invoke_workflow",
        "execute_tool",
        "workflow",
        "agent",
        "task",
        "tool",
        "chain",
        "retriever",
        "guardrail",
        "evaluator",
    }
)
"""Operations that may sum up the calls below them."""
_KINDS = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
_WRAPPERS = ("traceloop.span.kind",)
_ERROR = (2, "STATUS_CODE_ERROR")
_ANTHROPIC_IDS = "msg_"
_COUNTED_ID_CHARS_MAX = 16
"""Local servers number their responses and begin again (`chatcmpl-17`): such an id means a call
within an hour, so that what is settled together stays small.
"""
_HOUR_US = 3_600_000_000


class Place(NamedTuple):
    """Who sent a span, point or record, and which instrumentation made it."""

    service: str | None
    scope: str | None
    resource: Attributes


def read_spans(document: Document) -> Reading:
    """Return what the spans of a document tell."""
    reading = Reading()
    for resource in items(document, "resourceSpans"):
        told = attributes(resource.get("resource"))
        for scoped in items(resource, "scopeSpans"):
            place = Place(text(told, "service.name"), scope_name(scoped), told)
            for span in items(scoped, "spans"):
                try:
                    _read(span, place, reading)
                except InvalidError as error:
                    reading.refuse(error)
    return reading


def scope_name(scoped: Document) -> str | None:
    """Return the name of the instrumentation of a list of spans, metrics or records."""
    scope = scoped.get("scope")
    return text(scope, "name") if isinstance(scope, dict) else None


def _read(span: Document, place: Place, reading: Reading) -> None:
    found = attributes(span)
    if METHOD in found:
        operation = mcp_operation(span, found, place.service)
        if operation is not None:
            reading.operations[f"otlp/operation/{_name(span)}"] = operation
        return
    kind = _kind(found)
    if kind in _AROUND or (kind is None and text(found, *_WRAPPERS) is not None):
        return
    usage = span_usage(found)
    is_call = kind in _CALLS or (usage is not None and _model(found) is not None)
    if is_call and (usage is not None or not _failed(span, found)):
        reading.facts.append(_fact(span, found, place, usage))


def _kind(found: Attributes) -> str | None:
    kind = text(found, *_KINDS)
    return None if kind is None else kind.lower()


def _failed(span: Document, found: Attributes) -> bool:
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    return code in _ERROR or "error.type" in found


def _model(found: Attributes) -> str | None:
    names = (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
    )
    return text(found, *names, chars_max=MODEL_CHARS_MAX)


def _name(span: Document) -> str:
    """Return what tells a span from all others. Raises `InvalidError` without valid ids."""
    trace, own = hex_id(span, "traceId", 32), hex_id(span, "spanId", 16)
    if trace is None or own is None:
        raise InvalidError("spanId", span.get("spanId"), "hex ids: 32 of a trace, 16 of a span")
    return f"{trace}-{own}"


def _fact(span: Document, found: Attributes, place: Place, usage: SpanUsage | None) -> UsageFact:
    name = _name(span)
    trace, own = name.split("-")
    start_us = time_us(span, "startTimeUnixNano")
    end_us = max(start_us, time_us(span, "endTimeUnixNano", "startTimeUnixNano"))
    response = identity(found, "gen_ai.response.id")
    provider = _provider(found, response)
    group = trace_group(trace) if response is None else _response_group(response, start_us)
    cost = found.get("operation.cost")
    counts: dict[str, Any] = {
        "input_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 0,
    }
    return UsageFact(
        key=f"{group}/span/{name}",
        group=group,
        source=OTLP,
        provider=provider or UNKNOWN,
        time_us=start_us,
        line_us=end_us,
        end_us=end_us,
        model=_model(found),
        **(counts if usage is None else usage._asdict()),
        usage_known=usage is not None,
        reported_nano_usd=None if cost is None else cost_nano_usd("operation.cost", cost),
        service_tier=_service_tier(found),
        message_id=response,
        request_id=identity(found, "anthropic.request.id"),
        session=identity(found, "gen_ai.conversation.id", "session.id"),
        door=Door.SPAN,
        operation=_kind(found),
        service=place.service,
        agent=text(found, "gen_ai.agent.id", "gen_ai.agent.name"),
        trace=trace,
        span=own,
        parent=hex_id(span, "parentSpanId", 16),
        scope=place.scope,
    )


def _response_group(response: str, start_us: int) -> str:
    """Return the group of a response, whichever provider, cloud or gateway two spans may name."""
    if response.startswith(_ANTHROPIC_IDS):
        return f"anthropic/{key_part(response)}"
    if len(response) <= _COUNTED_ID_CHARS_MAX:
        return f"response/{key_part(response)}/{start_us // _HOUR_US}"
    return f"response/{key_part(response)}"


def _provider(found: Attributes, response: str | None) -> str | None:
    """Return the catalogue's name of the provider; Anthropic's ids tell it behind any gateway."""
    named = canonical_provider(
        text(found, "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
    )
    if named is None and response is not None and response.startswith(_ANTHROPIC_IDS):
        return "anthropic"
    return named


def _service_tier(found: Attributes) -> str | None:
    return text(
        found,
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "anthropic.response.service_tier",
    )
