"""What the observer records of the messages that go by."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.mcp.call import Direction
from contextframe_monitoring.mcp.lines import LongLine
from contextframe_monitoring.mcp.message import ODD_BYTES_MAX
from contextframe_monitoring.mcp.observer import Observer
from contextframe_monitoring.mcp.peers import Peers
from tests.mcp.relay_support import recorded, writers

MS = 1_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


class ManualClock:
    """A clock that stands still."""

    def now_us(self) -> int:
        return 1_700_000_000_000_000

    def monotonic_ns(self) -> int:
        return 0


class Watched:
    """A connection whose messages are given by the test."""

    def __init__(self, store: Path, **options: Any) -> None:
        config = MonitoringConfig(store=str(store), start_keeper=False)
        self.store = store
        self.recorder: Recorder = open_recorder(config)
        self.peers = Peers(
            "session",
            server=options.pop("server", "named"),
            server_may_say=options.pop("may", False),
        )
        self.observer = Observer(self.recorder, ManualClock(), self.peers, **options)

    def client(self, message: Any, at_ms: float = 0) -> int:
        return self._see("in", message, at_ms)

    def server(self, message: Any, at_ms: float = 0) -> int:
        return self._see("out", message, at_ms)

    def _see(self, direction: Direction, message: Any, at_ms: float) -> int:
        line = message if isinstance(message, bytes | LongLine) else json.dumps(message).encode()
        self.observer.see(direction, line, int(at_ms * MS))
        return line.size if isinstance(line, LongLine) else len(line)

    def records(self) -> list[OperationRecord]:
        return recorded(self.store)

    def said(self) -> list[tuple[str, str, str | None, str]]:
        return [(r.operation_type, r.status, r.error_type, r.direction) for r in self.records()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    connection = Watched(tmp_path)
    yield connection
    connection.recorder.close()


def request(number: Any, method: str = "tools/call", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(number: Any, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": members}


def error(number: Any, code: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": "secret"}}


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


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
        correlation_id=TRACE,
    )


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


def test_calls_that_wait_when_the_server_dies_are_errors(watched: Watched) -> None:
    watched.client(request(1), 0)
    watched.server(request("s", "roots/list"), 5)
    watched.observer.server_exited(137, 20 * MS)
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
        ("n", None, "success", None),
        ("tools/call", "b", "success", None),
        ("tools/call", "a", "error", None),
    ]
    assert watched.observer.unread == 1


@pytest.mark.parametrize(
    "line",
    [b"5", b"null", b'"text"', b"{}", b"starting up...", b"\xff\xfe", b"[" * 50_000, b"[]5", b"{"],
)
def test_a_line_that_is_no_message_is_counted_and_records_nothing(
    watched: Watched, line: bytes
) -> None:
    watched.server(line)

    assert (watched.records(), watched.observer.unread) == ([], 1)


@pytest.mark.parametrize("line", [b"", b"\r", b"  ", b"[]"])
def test_an_empty_line_is_nothing(watched: Watched, line: bytes) -> None:
    watched.server(line)

    assert (watched.records(), watched.observer.unread) == ([], 0)


def test_a_huge_answer_is_paired_by_its_ends(watched: Watched) -> None:
    watched.client(request(1, name="read"), 0)
    long = LongLine(
        head=b'{"result":{"content":[{"text":"xxx',
        tail=b'x"}]},"jsonrpc":"2.0","id":1}',
        size=10**8,
    )
    watched.server(long, 700)
    watched.server(LongLine(head=b"x", tail=b"y", size=10**8), 700)

    (record,) = watched.records()
    assert (record.status, record.duration_ms, record.result_size) == ("success", 700.0, 10**8)
    assert (watched.observer.long_lines, watched.observer.unread) == (2, 1)


def test_a_large_line_of_an_odd_shape_is_judged_by_its_ends(watched: Watched) -> None:
    watched.client({"id": 1, "method": "m", "params": {"name": 5, "data": "x" * ODD_BYTES_MAX}})
    watched.client([{"id": 2, "method": "m", "params": {"data": "x" * ODD_BYTES_MAX}}])
    watched.server(result(1))

    assert [record.operation_type for record in watched.records()] == ["m"]
    assert (watched.observer.long_lines, watched.observer.unread) == (2, 1)


def test_calls_beyond_the_bound_are_dropped_and_counted(tmp_path: Path) -> None:
    watched = Watched(tmp_path, pending_max=10)
    for number in range(25):
        watched.client(request(number))
    for number in range(25):
        watched.server(result(number))

    assert len(watched.records()) == 10
    assert (watched.observer.dropped, watched.observer.unpaired) == (15, 15)


def test_calls_in_flight_are_shown_in_the_header_of_the_spool(watched: Watched) -> None:
    for number in range(3):
        watched.client(request(number))
    watched.server(request("s", "roots/list"))
    watched.server(result(1))

    header = writers(watched.store)[0].header
    assert header is not None
    assert header.gauges == (2, 3, 0)


def test_names_from_outside_are_bounded_and_printable(watched: Watched) -> None:
    name = "a\0b" + "\ud800" + "x" * 10_000
    watched.client({"id": 1, "method": name, "params": {"name": name, "_meta": {"agent_id": name}}})
    watched.server(result(1))
    watched.client({"id": 2, "method": "resources/read", "params": {"uri": "f://" + "u" * 10**6}})
    watched.server(result(2))

    first, second = watched.records()
    texts = [first.operation_type, first.target, first.origin.agent_id, second.target]
    assert all(text is not None and len(text) <= 256 and text.isprintable() for text in texts)


def test_nothing_of_the_contents_is_kept(watched: Watched) -> None:
    secret = "canary-5f1c"
    watched.client(
        request(1, name="t", arguments={"q": secret}, _meta={"progressToken": secret, "x": secret})
    )
    watched.server({"id": 1, "error": {"code": -32000, "message": secret, "data": secret}})
    watched.client(request(2, "resources/read", uri=f"https://u:{secret}@h/p?{secret}#{secret}"))
    watched.server(result(2, contents=[{"text": secret}], isError=True))
    watched.client(notification("notifications/cancelled", requestId=9, reason=secret))
    watched.server(notification("notifications/message", data=secret))
    watched.recorder.close()

    stored = b"".join(path.read_bytes() for path in watched.store.rglob("*.seg"))
    assert secret.encode() not in stored


def test_a_record_that_gets_lost_is_said(tmp_path: Path) -> None:
    losses: list[int] = []
    watched = Watched(tmp_path, lost=lambda: losses.append(1))
    watched.client(notification("a"))
    watched.recorder.close()
    watched.client(notification("b"))

    assert (len(losses), watched.recorder.losses) == (1, {"closed": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
IDS = st.sampled_from([0, 1, 1.0, 2, "1", None, True, 10**40])
STRANGE = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS | JSON,
        "method": st.sampled_from(["tools/call", "initialize", "notifications/cancelled"]) | JSON,
        "params": st.fixed_dictionaries(
            {},
            optional={
                "name": JSON,
                "uri": JSON,
                "requestId": IDS,
                "reason": JSON,
                "clientInfo": JSON,
                "_meta": JSON,
            },
        )
        | JSON,
        "result": st.fixed_dictionaries({}, optional={"isError": JSON, "serverInfo": JSON}) | JSON,
        "error": st.fixed_dictionaries({}, optional={"code": JSON}) | JSON,
    },
)
FRAMES = st.binary(max_size=20) | (STRANGE | st.lists(STRANGE, max_size=3) | JSON).map(
    lambda value: json.dumps(value).encode("utf-8", "surrogatepass")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["in", "out"]), FRAMES), max_size=12))
def test_no_frame_raises_and_every_record_can_be_stored(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[Direction, bytes]]
) -> None:
    watched = Watched(tmp_path_factory.mktemp("store"), may=True)
    for direction, line in frames:
        watched.observer.see(direction, line, 0)
    watched.observer.server_exited(0, 0)

    assert watched.recorder.losses == {}
    assert len(watched.records()) == watched.recorder.recorded
    header = writers(watched.store)[0].header
    assert header is not None
    assert header.gauges[0] == 0
    watched.recorder.close()


def test_both_directions_may_be_seen_at_once(watched: Watched) -> None:
    count = 2000
    asked = [threading.Event() for _ in range(count)]

    def ask() -> None:
        for number in range(count):
            watched.client(request(number))
            asked[number].set()

    def answer() -> None:
        for number in range(count):
            asked[number].wait(10)
            watched.server(result(number))

    threads = [threading.Thread(target=work) for work in (ask, answer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    records = watched.records()
    assert len(records) == count
    assert {record.status for record in records} == {"success"}
    assert watched.observer.unpaired == 0
