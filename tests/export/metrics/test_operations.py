"""Operations as metrics, in the words of the MCP conventions."""

from __future__ import annotations

import pytest

from contextframe_monitoring.core.records import OWN_SERVER, Origin
from tests.export.metrics.families import only, totals
from tests.export.stores import Filled, operation

SERVER = "mcp.server.operation.duration"
APP = Origin(server="app")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_histogram_has_the_buckets_of_the_conventions_in_seconds(filled: Filled) -> None:
    filled.drain(*(operation(duration_ms=ms) for ms in (10.0, 10.000001, 20.0, 300_000.0, 3e5 + 1)))
    family = only(filled, "performance", SERVER)
    assert (family.kind, family.unit) == ("histogram", "s")
    assert family.bounds == (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
    (point,) = family.points
    assert point.counts == (1, 2, *[0] * 11, 1, 1)
    assert point.value == 600.041000001


def test_labels_are_method_tool_prompt_and_server_never_agent_session_or_uri(
    filled: Filled,
) -> None:
    filled.drain(
        operation(),
        operation(operation_type="prompts/get", target="review"),
        operation(operation_type="resources/read", target="file:///secret?token=1"),
        operation(operation_type="notifications/progress", target=None, kind="notification"),
    )
    assert list(totals(filled, "performance")[f"{SERVER} s"]) == [
        "server=git mcp.method.name=tools/call gen_ai.tool.name=git_log",
        "server=git mcp.method.name=prompts/get gen_ai.prompt.name=review",
        "server=git mcp.method.name=resources/read",
        "server=git mcp.method.name=notifications/progress",
    ]


@pytest.mark.requirement("004:dash:labels")
def test_failures_have_an_error_type_and_what_the_caller_chose_has_none(filled: Filled) -> None:
    filled.drain(
        operation(status="error", error_type="ValueError"),
        operation(status="error"),
        operation(status="timeout"),
        operation(status="timeout", error_type="ReadTimeout"),
        operation(status="cancelled", error_type="CancelledError"),
        operation(status="input_required"),
    )
    tool = "server=git mcp.method.name=tools/call gen_ai.tool.name=git_log"
    found = totals(filled, "performance")
    assert found[f"{SERVER} s"] == {
        f"{tool} error.type=ValueError": 0.0125,
        f"{tool} error.type=_OTHER": 0.0125,
        f"{tool} error.type=timeout": 0.0125,
        f"{tool} error.type=ReadTimeout": 0.0125,
        tool: 0.025,
    }
    who = "server=git mcp.method.name=tools/call direction=in"
    assert found["contextframe_monitoring.operations"] == {
        f"{who} status=error": 2,
        f"{who} status=timeout": 2,
        f"{who} status=cancelled": 1,
        f"{who} status=input_required": 1,
    }


def test_what_a_server_asks_of_its_client_is_a_client_operation(filled: Filled) -> None:
    filled.drain(
        operation(operation_type="sampling/createMessage", target=None, direction="out"),
        operation(operation_type="summarise", target="doc-1", origin=APP),
    )
    found = totals(filled, "performance")
    assert found["mcp.client.operation.duration s"] == {
        "server=git mcp.method.name=sampling/createMessage": 0.0125
    }
    assert found["contextframe_monitoring.operation.duration s"] == {
        "server=app operation_type=summarise": 0.0125
    }
    assert f"{SERVER} s" not in found


def test_an_operation_without_duration_is_counted_and_not_timed(filled: Filled) -> None:
    filled.drain(operation(operation_type="subscriptions/listen", duration_ms=None, target=None))
    found = totals(filled, "performance")
    assert f"{SERVER} s" not in found
    assert found["contextframe_monitoring.operations"] == {
        "server=git mcp.method.name=subscriptions/listen direction=in status=success": 1
    }


def test_sizes_and_tokens_are_summed_where_they_are_known(filled: Filled) -> None:
    filled.drain(operation(result_tokens=30), operation(request_size=None, result_size=4))
    tool = "server=git mcp.method.name=tools/call gen_ai.tool.name=git_log"
    found = totals(filled, "performance")
    assert found["contextframe_monitoring.request.size By"] == {tool: 120}
    assert found["contextframe_monitoring.result.size By"] == {tool: 4100}
    assert found["contextframe_monitoring.result.tokens"] == {tool: 30}
    assert "contextframe_monitoring.request.tokens" not in found


def test_our_own_server_is_left_out_unless_asked_for(filled: Filled) -> None:
    filled.drain(operation(origin=Origin(server=OWN_SERVER, transport="stdio")))
    assert totals(filled, "performance") == {}
    assert len(totals(filled, "performance", own_server=True)[f"{SERVER} s"]) == 1


@pytest.mark.parametrize("trace", [TRACE, TRACE.upper(), "my-own-id", None])
def test_buckets_point_at_the_last_operation_with_a_trace_id(
    filled: Filled, trace: str | None
) -> None:
    filled.drain(
        operation(correlation_id=TRACE[::-1], duration_ms=5.0),
        operation(correlation_id=trace, duration_ms=6.0),
        operation(duration_ms=7.0),
    )
    (point,) = only(filled, "performance", SERVER).points
    shown = {at: (e.trace_id, e.value) for at, e in point.exemplars.items()}
    assert shown == {
        TRACE: {0: (TRACE, 0.006)}, None: {0: (TRACE[::-1], 0.005)},
    }.get(trace, {})  # fmt: skip


def test_absurd_durations_do_not_spoil_the_sum(filled: Filled) -> None:
    filled.drain(
        operation(duration_ms=float("nan")),
        operation(duration_ms=float("inf")),
        operation(duration_ms=-5.0),
        operation(duration_ms=1e300),
        operation(duration_ms=1.0),
    )
    (point,) = only(filled, "performance", SERVER).points
    assert (sum(point.counts), point.value) == (3, 1e9 + 0.001)
