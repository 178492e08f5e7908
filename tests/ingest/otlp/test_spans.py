"""Spans of model calls: each provider call once, tokens in columns that do not overlap."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.ingest.otlp.documents import document
from contextframe_monitoring.ingest.otlp.spans import read_spans
from contextframe_monitoring.ingest.transcripts.marks import with_marks
from contextframe_monitoring.ingest.transcripts.settlement import settled
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from tests.ingest.otlp.desk import calls, desk, totals
from tests.ingest.otlp.payloads import JSON, PROTOBUF, SONNET, encoded, span, traces, usage

CACHED = usage(
    6181,
    211,
    **{"cache_read.input_tokens": 4096, "cache_creation.input_tokens": 2048},
)
SPLIT = {
    **usage(6181, 211, **{"cache_read.input_tokens": 4096, "cache_write.input_tokens": 2048}),
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 1024,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 1024,
}


def facts(*spans: dict[str, Any], media: str = JSON) -> list[UsageFact]:
    reading = read_spans(document("traces", media, encoded("traces", traces(*spans), media)))
    assert reading.rejected == 0
    return reading.facts


def columns(fact: UsageFact) -> tuple[int, ...]:
    return (
        fact.input_tokens,
        fact.cache_read_tokens,
        fact.cache_write_5m_tokens,
        fact.cache_write_1h_tokens,
        fact.output_tokens,
    )


@pytest.mark.requirement("cost:otlp:flavours")
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (CACHED, (37, 4096, 2048, 0, 211)),
        (SPLIT, (37, 4096, 1024, 1024, 211)),
        (
            {
                **usage(6181, 211),
                "gen_ai.usage.details.cache_read_tokens": 4096,
                "gen_ai.usage.details.cache_write_tokens": 2048,
                "gen_ai.usage.details.ephemeral_1h_input_tokens": 1024,
            },
            (37, 4096, 1024, 1024, 211),
        ),
        (
            {
                "llm.token_count.prompt": 6181,
                "llm.token_count.completion": 211,
                "llm.token_count.prompt_details.cache_read": 4096,
                "llm.token_count.prompt_details.cache_write": 2048,
            },
            (37, 4096, 2048, 0, 211),
        ),
        (
            {
                **usage(6181, 211),
                "gen_ai.usage.raw": json.dumps(
                    {
                        "input_tokens": 37,
                        "cache_read_input_tokens": 4096,
                        "cache_creation_input_tokens": 2048,
                        "cache_creation": {"ephemeral_1h_input_tokens": 1024},
                    }
                ),
            },
            (37, 4096, 1024, 1024, 211),
        ),
        ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3}, (7, 0, 0, 0, 3)),
        (usage(37, 211, **{"cache_read.input_tokens": 4096}), (37, 4096, 0, 0, 211)),
    ],
    ids=["conventions", "anthropic", "pydantic-ai", "openinference", "logfire", "old", "exclusive"],
)
@pytest.mark.parametrize("media", [JSON, PROTOBUF])
def test_every_flavour_ends_in_columns_that_do_not_overlap(
    told: dict[str, Any], expected: tuple[int, ...], media: str
) -> None:
    assert [columns(fact) for fact in facts(span(told=told), media=media)] == [expected]


def test_numbers_may_be_texts_as_protobuf_json_writes_them() -> None:
    one = span()
    for pair in one["attributes"]:
        if "intValue" in pair["value"]:
            pair["value"]["intValue"] = str(pair["value"]["intValue"])
    assert facts(one) == facts(span())


@pytest.mark.parametrize(
    "operation", ["invoke_agent", "invoke_workflow", "execute_tool", "create_agent"]
)
def test_spans_around_calls_cost_nothing(operation: str) -> None:
    around = {**usage(200, 20), "gen_ai.aggregated_usage.input_tokens": 200}
    assert facts(span(operation=operation, told=around)) == []


def test_aggregated_usage_is_never_usage() -> None:
    told = {"gen_ai.aggregated_usage.input_tokens": 200}
    assert [fact.usage_known for fact in facts(span(told=told))] == [False]


def test_an_error_without_usage_is_no_cost_and_one_with_usage_is() -> None:
    assert facts(span(status=2, told={}, **{"error.type": "RateLimitError"})) == []
    assert len(facts(span(status=2, **{"error.type": "Cut"}))) == 1


def test_prompts_and_contents_are_nowhere_in_a_fact() -> None:
    secret = "the secret of the prompt"
    one = span(**{"gen_ai.prompt.0.content": secret, "gen_ai.input.messages": secret})
    one["events"] = [{"name": "exception", "attributes": []}]
    assert secret not in repr(facts(one))


@pytest.mark.requirement("cost:otlp:unknown")
def test_a_stream_without_usage_is_unknown_and_never_zero(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(span(told={}))))
        (record,) = door.costs
    assert (record.amount_nano_usd, record.input_tokens, record.units) == (None, None, None)
    assert (record.model, record.provenance) == (SONNET, None)


@pytest.mark.requirement("cost:otlp:once")
def test_two_instrumentations_of_one_call_count_once_and_the_richer_one_stands(
    tmp_path: Path,
) -> None:
    sdk = traces(span(1, trace=1, start=0.1, end=0.9, told=SPLIT), scope="sdk")
    own = traces(span(2, trace=2, told=CACHED, **{"operation.cost": 0.0144888}), scope="own")
    with desk(tmp_path / "s") as door:
        door.take(("traces", own), ("traces", sdk))
        found = totals(door.costs)
        (call,) = calls(door.costs)
    assert found["calls"] == 1
    assert found["amount_nano_usd"] == 14_488_800
    assert (found["input_tokens"], found["cache_write_1h_tokens"]) == (37, 1024)
    assert "witness=span:own" in call[0]
    assert ("reported_nano_usd", 14_488_800) in call[1]


def test_a_gateway_and_the_sdk_behind_it_tell_of_one_call(tmp_path: Path) -> None:
    long_id = "chatcmpl-BxY2kq0000000000000000000000"
    gateway = span(1, response=long_id, provider="litellm", model="gpt-4o", told=usage(9, 4))
    reasoned = usage(9, 3, reasoning_tokens=3)
    sdk = span(2, trace=2, response=long_id, provider="openai", model="gpt-4o", told=reasoned)
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(sdk, scope="sdk")), ("traces", traces(gateway, scope="proxy")))
        assert totals(door.costs)["calls"] == 1
        assert totals(door.costs)["output_tokens"] == 4
        assert {record.provider for record in door.costs} == {"openai"}
        assert door.costs[-1].attributes == ("witness=span:sdk", "disagrees=span:sdk")


def test_a_witness_never_knows_of_more_reasoning_than_there_is_output(tmp_path: Path) -> None:
    more = span(1, told=usage(90, 5, reasoning_tokens=5))
    best = span(2, trace=2, told=usage(100, 3))
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(more, scope="a")), ("traces", traces(best, scope="b")))
        found = totals(door.costs)
    assert (found["calls"], found["output_tokens"], found["reasoning_tokens"]) == (1, 3, 3)


def test_a_response_id_that_is_used_again_later_is_another_call(tmp_path: Path) -> None:
    first = span(1, response="chatcmpl-1", start=0, end=1)
    again = span(2, response="chatcmpl-1", start=1.001, end=2)
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(first, again)))
        assert totals(door.costs)["calls"] == 2


def test_without_a_response_id_a_child_that_repeats_its_parent_is_the_same_call(
    tmp_path: Path,
) -> None:
    spans = [
        span(1, response=None),
        span(2, parent=1, response=None, start=0.1, end=0.9),
        span(3, parent=2, response=None, start=0.2, end=0.8, told={}),
        span(4, response=None, start=0.2, end=0.8),
        span(5, parent=4, response=None, told=usage(7, 7)),
    ]
    with desk(tmp_path / "s") as door:
        door.take(*(("traces", traces(one)) for one in reversed(spans)))
        found = totals(door.costs)
    assert (found["calls"], found["input_tokens"]) == (3, 100 + 100 + 7)


def test_a_parent_without_a_response_id_repeats_its_child_that_has_one(tmp_path: Path) -> None:
    parent = ("traces", traces(span(1, response=None), scope="framework"))
    child = ("traces", traces(span(2, parent=1, start=0.1, end=0.9), scope="sdk"))
    for number, order in enumerate([(parent, child), (child, parent)]):
        with desk(tmp_path / str(number)) as door:
            door.take(*order)
            assert totals(door.costs)["calls"] == 1


@pytest.mark.requirement("cost:otlp:once")
def test_a_retried_export_adds_nothing(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(span())))
        once = door.costs
        door.take(("traces", traces(span())), ("traces", traces(span())), media=PROTOBUF)
        assert door.costs == once


def test_what_cannot_be_is_refused_and_the_rest_is_taken(tmp_path: Path) -> None:
    wrong = [
        span(2, told=usage(-1)),
        span(3, told=usage(10**12)),
        span(4, told={"gen_ai.usage.input_tokens": True}),
        {**span(5), "traceId": "nonsense"},
        {**span(6), "startTimeUnixNano": "7"},
        span(7, **{"operation.cost": -1.0}),
    ]
    with desk(tmp_path / "s") as door:
        answer = door.send("traces", traces(span(1, response="msg_0"), *wrong))
        assert totals(door.costs)["calls"] == 1
    told = json.loads(answer.body)["partialSuccess"]
    assert (answer.status, told["rejectedSpans"]) == (200, "6")
    assert told["errorMessage"].startswith("gen_ai.usage.input_tokens = -1 is not allowed")


@pytest.mark.requirement("cost:otlp:flavours")
def test_a_server_span_of_mcp_is_one_operation_however_often_it_is_sent(tmp_path: Path) -> None:
    one = span(
        1,
        kind=2,
        operation=None,
        told={},
        **{
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "search",
            "mcp.session.id": "s1",
            "error.type": "tool_error",
        },
    )
    client = span(2, kind=3, told={}, **{"mcp.method.name": "tools/call"})
    with desk(tmp_path / "s") as door:
        door.take(("traces", traces(one, client)), ("traces", traces(one)))
        (record,) = door.records
    assert (record.operation_type, record.target, record.status) == (
        "tools/call",
        "search",
        "error",
    )
    assert (record.duration_ms, record.error_type) == (1000.0, "tool_error")
    assert (record.origin.server, record.origin.session_id) == ("app", "s1")


SPANS = [
    *facts(span(1, trace=1, told=SPLIT, start=0.1, end=0.9)),
    *facts(span(2, trace=2, told=CACHED)),
    *facts(span(3, trace=3, told={}, start=0.5, end=0.8)),
    *facts(span(4, trace=3, start=3, end=4)),
    *facts(span(5, trace=4, response=None)),
    *facts(span(6, trace=4, response=None, parent=5)),
    *facts(span(7, trace=4, response="msg_2", parent=6)),
]


@pytest.mark.requirement("cost:shown:laws")
@given(order=st.permutations(SPANS), cuts=st.sets(st.integers(1, len(SPANS) - 1)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_split_in_any_order_gives_the_same_calls(
    order: list[UsageFact], cuts: set[int]
) -> None:
    assert _settled(order, cuts) == _settled(SPANS, set())


def _settled(order: list[UsageFact], cuts: set[int]) -> list[tuple[Any, ...]]:
    rows: dict[str, Any] = {}
    records = []
    edges = [0, *sorted(cuts), len(order)]
    for start, end in itertools.pairwise(edges):
        changed, new = settled(
            rows.values(), with_marks(order[start:end]), lambda fact: (fact.total_tokens, "p")
        )
        rows |= {row.key: row for row in changed}
        records += new
    return calls(records)
