"""Reading what a message says, whatever its shape."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from contextframe_monitoring.mcp.lines import HEAD_BYTES_MAX, TAIL_BYTES_MAX, LongLine, long_line
from contextframe_monitoring.mcp.message import (
    UNREADABLE,
    Failure,
    Message,
    Meta,
    Named,
    Params,
    Result,
    read_long,
    read_message,
    read_odd,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
IDS = st.integers(-(2**70), 2**70) | TEXT | st.floats(allow_nan=False, allow_infinity=False)
MEMBERS = {
    "_meta": st.fixed_dictionaries(
        {},
        optional={
            "agent_id": TEXT,
            "gen_ai.agent.id": TEXT,
            "io.modelcontextprotocol/clientInfo": st.fixed_dictionaries({"name": TEXT, "x": TEXT}),
            "traceparent": TEXT,
            "other": ANYTHING,
        },
    ),
    "name": TEXT,
    "uri": TEXT,
    "arguments": ANYTHING,
}
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": IDS},
    optional={
        "method": TEXT,
        "params": st.fixed_dictionaries({}, optional=MEMBERS),
        "result": st.fixed_dictionaries(
            {}, optional={"isError": st.booleans(), "content": ANYTHING, "_meta": MEMBERS["_meta"]}
        ),
        "error": st.fixed_dictionaries({"code": st.integers(-33000, 0), "message": TEXT}),
        "extra": ANYTHING,
    },
)


def test_a_request_of_the_modern_era_is_read() -> None:
    line = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {
                "name": "add",
                "arguments": {"name": "not this", "id": 8},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": {"name": "desk", "version": "1"},
                    "agentId": "a1",
                    "traceparent": "00-ab-cd-01",
                },
            },
        }
    ).encode()

    assert read_message(line) == Message(
        method="tools/call",
        id=7,
        params=Params(
            name="add",
            meta=Meta(
                agent_id_camel="a1",
                protocol_version="2026-07-28",
                client=Named(name="desk"),
                traceparent="00-ab-cd-01",
            ),
        ),
    )


@given(MESSAGES)
def test_both_ways_of_reading_agree(message: dict[str, Any]) -> None:
    line = json.dumps(message).encode()

    assert read_odd(line) == ([_filled(read_message(line))], 0)


def _filled(message: Message) -> Message:
    """Return a message as the tolerant way builds it: what is missing is there and says nothing."""
    message.params = message.params or Params()
    message.params.meta = message.params.meta or Meta()
    message.result = message.result or Result()
    message.result.meta = message.result.meta or Meta()
    return message


@pytest.mark.parametrize(
    ("line", "method", "message_id"),
    [
        (b'{"id":null,"method":"m"}', "m", None),
        (b'{"id":1e400,"method":"m"}', "m", float("inf")),
        (b'{"id":1.5,"method":"m"}', "m", 1.5),
        (b'{"id":1234567890123456789012345,"method":"m"}', "m", 1234567890123456789012345),
        (b'{"id":true,"method":"m"}', "m", UNSET),
        (b'{"id":{"a":1},"method":"m"}', "m", UNSET),
        (b'{"id":1,"method":5}', None, 1),
        (b'{"id":1,"method":"m","params":[1,2]}', "m", 1),
        (b'{"id":1,"method":"m","params":{"name":5,"uri":[],"_meta":7}}', "m", 1),
        (b'{"id":1,"result":"done"}', None, 1),
        (b'{"id":"\\ud800","method":"m"}', "m", "\ud800"),
        (b'{"id":1,"method":"m\xff"}', "m\ufffd", 1),
        (b'{"id":1,"method":"m"}\r', "m", 1),
    ],
)  # fmt: skip
def test_odd_members_cost_only_themselves(line: bytes, method: Any, message_id: Any) -> None:
    try:
        message = read_message(line)
    except UNREADABLE:
        (message,), _ = read_odd(line)

    assert (message.method, message.id) == (method, message_id)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ('{"code":-32601.0}', -32601),
        ('{"code":"x"}', None),
        ('{"code":true}', None),
        ('"boom"', None),
        ("[]", None),
    ],
)
def test_an_error_of_any_shape_is_an_error(error: str, code: int | None) -> None:
    (message,), _ = read_odd(f'{{"id":1,"error":{error}}}'.encode())

    assert message.error == Failure(code=code)


def test_a_null_error_beside_a_result_is_no_error() -> None:
    assert read_message(b'{"id":1,"error":null,"result":{}}').error is None
    assert read_odd(b'{"id":1,"error":null,"result":{}}')[0][0].error is None


def test_a_batch_is_its_messages_and_a_count_of_the_rest() -> None:
    messages, unread = read_odd(b'[{"id":1,"method":"a"},5,{"method":"b"},null,[]]')

    assert ([message.method for message in messages], unread) == (["a", "b"], 3)


@pytest.mark.parametrize(
    "line", [b"", b"log line", b"{", b"[" * 100_000, b'{"id":' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_is_refused_with_a_known_error(line: bytes) -> None:
    with pytest.raises(UNREADABLE):
        read_odd(line)


FILLER = "x" * (HEAD_BYTES_MAX + TAIL_BYTES_MAX)
LONG = {
    "python request": '{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"n","a":["F"]}}',
    "typescript request": '{"method":"m","params":{"name":"n","a":"F"},"jsonrpc":"2.0","id":1}',
    "method last": '{"params":{"name":"n","arguments":["F"]},"id":1,"method":"m"}',
    "python result": '{"jsonrpc":"2.0","id":1,"result":{"content":["F"],"isError":true}}',
    "typescript result": '{"result":{"content":["F"],"isError":true},"jsonrpc":"2.0","id":1}',
    "quotes": r'{"id":"a","result":{"content":["\\\"{[\",\"id\":2}F"]}}',
    "error": '{"id":1,"error":{"code":-32000,"message":"F"}}',
    "odd": '{"id":1,"method":"m","params":{"name":7,"a":"F"}}',
    "many members": '{"id":1,"result":{"content":[' + ",".join(['{"a":[1,2]}'] * 5000) + "]}}",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_line_says_by_its_ends_what_it_says_whole(name: str) -> None:
    line = LONG[name].replace("F", FILLER).encode()
    try:
        whole = read_message(line)
    except UNREADABLE:
        (whole,), _ = read_odd(line)

    assert read_long(long_line(line)) == whole


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_hostile_long_lines_raise_nothing_unknown(head: bytes, tail: bytes) -> None:
    try:
        read_long(LongLine(head=head, tail=tail, size=10**8))
    except UNREADABLE:
        return


@given(MESSAGES, st.integers(0, 400))
def test_a_cut_message_is_never_read_as_something_else(message: dict[str, Any], cut: int) -> None:
    line = json.dumps(message).encode()
    whole = read_message(line)

    try:
        part = read_long(LongLine(head=line[:cut], tail=b"", size=len(line)))
    except UNREADABLE:
        return

    assert part.id in {whole.id, UNSET}
    assert part.method in {whole.method, None}
