"""What the observer makes of strange, hostile and endless input: a count, never an exception."""

import json
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.mcp.call import Direction
from contextframe_monitoring.mcp.lines import LongLine
from contextframe_monitoring.mcp.message import ODD_BYTES_MAX
from tests.mcp.relay_support import writers
from tests.mcp.watched import Watched, notification, request, result


@pytest.mark.requirement("spine:wrap:strange-frames")
@pytest.mark.parametrize(
    "line",
    [
        b"5",
        b"null",
        b'"text"',
        b"{}",
        b"[]",
        b"starting up...",
        b"\xff\xfe",
        b"[" * 50_000,
        b"[]5",
        b"{",
    ],
)
@pytest.mark.requirement("doors:wire:unparsable")
def test_a_line_that_is_no_message_is_counted_and_recorded_as_such(
    watched: Watched, line: bytes
) -> None:
    watched.server(line)
    watched.client(line)

    assert watched.observer.unread == 2
    assert watched.said() == [
        ("unparsable", "error", "ParseError", "out"),
        ("unparsable", "error", "ParseError", "in"),
    ]
    assert {(r.status_code, r.request_size) for r in watched.records()} == {(-32700, len(line))}


@pytest.mark.parametrize("line", [b"", b"\r", b"  "])
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

    record, unread = watched.records()
    assert (record.status, record.duration_ms, record.result_size) == ("success", 700.0, 10**8)
    assert (unread.operation_type, unread.request_size) == ("unparsable", 10**8)
    assert (watched.observer.long_lines, watched.observer.unread) == (2, 1)


def test_a_large_line_of_an_odd_shape_is_judged_by_its_ends(watched: Watched) -> None:
    watched.client({"id": 1, "method": "m", "params": {"name": 5, "data": "x" * ODD_BYTES_MAX}})
    watched.client([{"id": 2, "method": "m", "params": {"data": "x" * ODD_BYTES_MAX}}])
    watched.server(result(1))

    assert [record.operation_type for record in watched.records()] == ["unparsable", "m"]
    assert (watched.observer.long_lines, watched.observer.unread) == (2, 1)


def test_calls_beyond_the_bound_count_as_unanswered(tmp_path: Path) -> None:
    watched = Watched(tmp_path, pending_max=10)
    for number in range(25):
        watched.client(request(number))
    for number in range(25):
        watched.server(result(number))

    ends = [(record.status, record.error_type) for record in watched.records()]
    assert ends == [*[("error", "NoAnswer")] * 15, *[("success", None)] * 10]
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


@pytest.mark.requirement("000:sec:no-phi")
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
