"""What the observer records of the messages that go by."""

from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.records import OperationRecord, Origin
from tests.mcp.watched import TRACE, Watched, error, notification, request, result


@pytest.mark.requirement("spine:wrap:fields")
def test_a_call_of_the_handshake_era_is_recorded_whole(watched: Watched) -> None:
    watched.client(request(0, "initialize", clientInfo={"name": "desk"}, protocolVersion="x"), 1)
    watched.server(result(0, protocolVersion="2025-11-25", serverInfo={"name": "own name"}), 401)
    asked = watched.client(
        request(1, name="add", arguments={}, _meta={"traceparent": f"00-{TRACE}-{'1' * 16}-01"}),
        500,
    )
    answered = watched.server(result(1, content=[], isError=False), 512.5)

    writer = watched.recorder.writer
    origin = Origin(
        server="named",
        agent_id="desk",
        agent_source="client",
        session_id="session",
        transport="stdio",
        protocol_version="2025-11-25",
    )
    first, second = watched.records()
    assert (first.origin, first.duration_ms) == (origin, 400.0)
    assert second == OperationRecord(
        time_us=1_700_000_000_000_000,
        operation_type="tools/call",
        status="success",
        duration_ms=12.5,
        origin=origin,
        target="add",
        operation_id=f"{writer}-o2",
        direction="in",
        kind="request",
        request_size=asked,
        result_size=answered,
        request_tokens=0,
        result_tokens=0,
        tokens_estimated=True,
        correlation_id=TRACE,
        attributes=(f"parent_span_id={'1' * 16}",),
    )


@pytest.mark.requirement("spine:wrap:fields")
def test_a_call_of_the_modern_era_says_itself_who_makes_it(watched: Watched) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "desk", "version": "1"},
    }
    for number, more in enumerate(
        [{}, {"agent_id": "a"}, {"agentId": "b"}, {"gen_ai.agent.id": "c"}]
    ):
        watched.client(request(number, name="add", _meta={**meta, **more}))
        watched.server(result(number, resultType="complete"))
    watched.server(notification("notifications/progress"))

    origins = [record.origin for record in watched.records()]
    assert [(o.agent_id, o.agent_source) for o in origins] == [
        ("desk", "client"),
        ("a", "meta"),
        ("b", "meta"),
        ("c", "meta"),
        ("desk", "client"),
    ]
    assert {o.protocol_version for o in origins} == {"2026-07-28"}


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_server_names_itself_once_when_it_may(tmp_path: Path, era: str) -> None:
    watched = Watched(tmp_path, server="command", may=True)
    watched.server(notification("notifications/message"))
    for number, name in enumerate(["own", "other"]):
        if era == "legacy":
            watched.client(request(number, "initialize"))
            watched.server(result(number, serverInfo={"name": name}))
        else:
            watched.client(request(number))
            meta = {"io.modelcontextprotocol/serverInfo": {"name": name}}
            watched.server(result(number, _meta=meta))

    assert [record.origin.server for record in watched.records()] == ["command", "own", "own"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (result(1), ("success", None, None)),
        (result(1, isError=True), ("error", "tool_error", None)),
        (result(1, resultType="input_required"), ("input_required", None, None)),
        (error(1, -32601), ("error", "-32601", -32601)),
        (error(1, -32001), ("timeout", "-32001", -32001)),
        (error(1, 10**30), ("error", "unknown", None)),
        (error(1, "x"), ("error", "unknown", None)),
        ({"id": 1, "result": "text"}, ("success", None, None)),
        ({"id": 1, "error": "text"}, ("error", "unknown", None)),
        ({"id": 1}, ("success", None, None)),
    ],
)
def test_an_answer_says_how_a_call_ended(watched: Watched, answer: Any, outcome: Any) -> None:
    watched.client(request(1))
    watched.server(answer)

    (record,) = watched.records()
    assert (record.status, record.error_type, record.status_code) == outcome


def test_a_cancelled_call_is_recorded_at_its_cancellation_and_not_again(watched: Watched) -> None:
    for number, reason in ((1, "Request timed out after 3s"), (2, "the user left"), (3, None)):
        watched.client(request(number), 100)
        watched.client(
            notification("notifications/cancelled", requestId=number, reason=reason), 150
        )
        watched.server(result(number), 200)

    calls = [r for r in watched.records() if r.kind == "request"]
    assert [(r.status, r.error_type, r.duration_ms, r.result_size) for r in calls] == [
        ("timeout", "client_timeout", 50.0, None),
        ("cancelled", None, 50.0, None),
        ("cancelled", None, 50.0, None),
    ]
    assert watched.observer.unpaired == 3


@pytest.mark.requirement("spine:wrap:fields")
def test_requests_of_the_server_go_out_and_ids_are_paired_per_direction(watched: Watched) -> None:
    watched.client(request(1, name="ask"), 0)
    watched.server(request(1, "sampling/createMessage"), 10)
    watched.client(result(1, content={}), 30)
    watched.server(result(1), 40)

    assert [(r.operation_type, r.direction, r.duration_ms) for r in watched.records()] == [
        ("sampling/createMessage", "out", 20.0),
        ("tools/call", "in", 40.0),
    ]


def test_notifications_count_once_and_have_no_duration(watched: Watched) -> None:
    size = watched.client(notification("notifications/initialized"), 5)
    watched.server(notification("notifications/resources/updated", uri="a://b?key=1#x"), 6)
    watched.server({"jsonrpc": "2.0", "id": None, "method": "odd"}, 7)

    records = watched.records()
    assert [(r.operation_type, r.direction, r.target, r.kind, r.duration_ms) for r in records] == [
        ("notifications/initialized", "in", None, "notification", None),
        ("notifications/resources/updated", "out", "a://b", "notification", None),
        ("odd", "out", None, "notification", None),
    ]
    assert (records[0].request_size, records[0].result_size) == (size, None)


def test_a_subscription_counts_when_it_is_opened_and_has_no_duration(watched: Watched) -> None:
    meta = {"io.modelcontextprotocol/subscriptionId": 1}
    watched.client(request(1, "subscriptions/listen"), 0)
    watched.server(notification("notifications/subscriptions/acknowledged", _meta=meta), 3)
    opened = watched.records()
    watched.server(notification("notifications/resources/updated", uri="a://b", _meta=meta), 4)
    watched.server(result(1), 3_600_000)
    watched.client(request(2, "subscriptions/listen"), 0)
    watched.server(error(2, -32601), 3)

    assert [(r.operation_type, r.status, r.kind, r.duration_ms) for r in opened] == [
        ("subscriptions/listen", "success", "request", None),
        ("notifications/subscriptions/acknowledged", "success", "notification", None),
    ]
    assert [(r.operation_type, r.status, r.duration_ms) for r in watched.records()[2:]] == [
        ("notifications/resources/updated", "success", None),
        ("subscriptions/listen", "error", None),
    ]


def test_a_frame_that_names_a_subscription_ends_no_other_call(watched: Watched) -> None:
    meta = {"io.modelcontextprotocol/subscriptionId": 1}
    watched.client(request(1, name="slow"), 0)
    watched.server(notification("notifications/resources/updated", _meta=meta), 3)
    watched.server(result(1), 9)

    (call,) = [r for r in watched.records() if r.kind == "request"]
    assert (call.target, call.duration_ms) == ("slow", 9.0)


def test_a_completion_is_about_the_prompt_or_resource_that_it_names(watched: Watched) -> None:
    for number, reference in enumerate(
        [{"type": "ref/prompt", "name": "greet"}, {"uri": "a://{id}?x=1"}, 5]
    ):
        watched.client(request(number, "completion/complete", ref=reference))
        watched.server(result(number))

    assert [record.target for record in watched.records()] == ["greet", "a://{id}", None]


@pytest.mark.requirement("spine:wrap:dead-child")
def test_calls_that_wait_when_the_server_dies_are_errors(watched: Watched) -> None:
    watched.client(request(1), 0)
    watched.server(request("s", "roots/list"), 5)
    watched.observer.server_exited(137, 20_000_000)
    watched.client(request(2), 30)

    assert [
        (r.operation_type, r.status, r.error_type, r.status_code, r.duration_ms)
        for r in watched.records()
    ] == [
        ("tools/call", "error", "ServerExited", 137, 20.0),
        ("roots/list", "error", "ServerExited", 137, 15.0),
    ]


def test_a_batch_counts_each_message_and_its_sizes_are_unknown(watched: Watched) -> None:
    watched.client([request(1, name="a"), request(2, name="b"), notification("n"), 5])
    watched.server([result(2), error(1, -32000)])

    assert [(r.operation_type, r.target, r.status, r.request_size) for r in watched.records()] == [
        ("unparsable", None, "error", None),
        ("n", None, "success", None),
        ("tools/call", "b", "success", None),
        ("tools/call", "a", "error", None),
    ]
    assert watched.observer.unread == 1
