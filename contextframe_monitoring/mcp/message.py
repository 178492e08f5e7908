"""What the observer needs of a JSON-RPC message, read from raw bytes; all else is skipped.

The usual shapes are read by a typed decoder that never builds what it skips. Whatever it refuses
(batches, scalars, members of another type, invalid UTF-8, lone surrogates) is read again by the
tolerant way, which keeps every member that has the right type.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from contextframe_monitoring.core.privacy import bounded_name, uri_without_query
from contextframe_monitoring.mcp.lines import LongLine

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading bytes from outside may raise."""

ODD_BYTES_MAX = 256 << 10
"""Above this a line of an unusual shape is only judged by its ends: read whole, 1 MB of empty
objects would take 60 MB.
"""

MessageId = str | int | float | None


class Named(msgspec.Struct, gc=False):
    """`clientInfo` or `serverInfo`."""

    name: str | None = None


class Meta(msgspec.Struct, gc=False):
    """The members of `_meta` that say who calls whom, in which protocol and trace."""

    agent_id: str | None = None
    agent_id_camel: str | None = msgspec.field(name="agentId", default=None)
    agent_id_otel: str | None = msgspec.field(name="gen_ai.agent.id", default=None)
    protocol_version: str | None = msgspec.field(
        name="io.modelcontextprotocol/protocolVersion", default=None
    )
    client: Named | None = msgspec.field(name="io.modelcontextprotocol/clientInfo", default=None)
    server: Named | None = msgspec.field(name="io.modelcontextprotocol/serverInfo", default=None)
    subscription_id: str | int | float | None = msgspec.field(
        name="io.modelcontextprotocol/subscriptionId", default=None
    )
    traceparent: str | None = None


class Reference(msgspec.Struct, gc=False):
    """The prompt or resource that a completion is asked for."""

    name: str | None = None
    uri: str | None = None


class Params(msgspec.Struct, gc=False):
    """The members of `params` that name a target, a caller or a cancelled request."""

    name: str | None = None
    uri: str | None = None
    reference: Reference | None = msgspec.field(name="ref", default=None)
    request_id: str | int | float | None = msgspec.field(name="requestId", default=None)
    reason: str | None = None
    client: Named | None = msgspec.field(name="clientInfo", default=None)
    meta: Meta | None = msgspec.field(name="_meta", default=None)


class Result(msgspec.Struct, gc=False):
    """The members of `result` that say how a call ended, and who answered."""

    is_error: bool = msgspec.field(name="isError", default=False)
    result_type: str | None = msgspec.field(name="resultType", default=None)
    protocol_version: str | None = msgspec.field(name="protocolVersion", default=None)
    server: Named | None = msgspec.field(name="serverInfo", default=None)
    meta: Meta | None = msgspec.field(name="_meta", default=None)


class Failure(msgspec.Struct, gc=False):
    """A JSON-RPC error. `code` is None when there is none that is an integer."""

    code: int | None = None


class Message(msgspec.Struct, gc=False):
    """One JSON-RPC message. `id` is UNSET when the member is missing."""

    method: str | None = None
    id: MessageId | UnsetType = UNSET
    params: Params | None = None
    result: Result | None = None
    error: Failure | None = None


read_message = msgspec.json.Decoder(Message).decode
"""Read one message of the usual shape; raises one of `UNREADABLE` for every other."""


def read_odd(line: bytes) -> tuple[list[Message], int]:
    """Read a line of an unusual shape: its messages, and how many of its parts are none. A batch
    without parts is one of them itself.

    Raises one of `UNREADABLE` when the line is no JSON.
    """
    content = json.loads(line.decode("utf-8", "replace"))
    items = content if isinstance(content, list) else [content]
    messages = [_message(item) for item in items if isinstance(item, dict)]
    return messages, len(items) - len(messages) if items else 1


def target_of(params: Params | None) -> str | None:
    """Return the bounded name that a message is about, or the URI without its query."""
    if params is None:
        return None
    name, uri = params.name, params.uri
    if params.reference is not None and name is None and uri is None:
        name, uri = params.reference.name, params.reference.uri
    if name is not None:
        return bounded_name(name)
    return None if uri is None else uri_without_query(uri)


# -- long lines

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
_LAST_MEMBERS = re.compile(
    rb',(\s*"(?:jsonrpc|id|method)"\s*:\s*(?:"[^"\\]*"|-?\d+)'
    rb'(?:\s*,\s*"(?:jsonrpc|id|method)"\s*:\s*(?:"[^"\\]*"|-?\d+))*\s*\}\s*)\Z'
)
_IS_ERROR = re.compile(rb'"isError"\s*:\s*true')
_CLOSER = {ord("{"): ord("}"), ord("["): ord("]")}


def read_long(line: LongLine) -> Message:
    """Read a message of which only the beginning and the end are known.

    The beginning is cut after its last whole member and closed; `id` and `method` may also stand
    last (the TypeScript SDK writes results first), and so may `isError`. Raises one of
    `UNREADABLE`.
    """
    head = _closed(line.head)
    try:
        message = read_message(head)
    except UNREADABLE:
        message = _message(json.loads(head.decode("utf-8", "replace")))
    last = _LAST_MEMBERS.search(line.tail)
    if last:
        members = read_message(b"{" + last.group(1))
        message.id = members.id if message.id is UNSET else message.id
        message.method = message.method or members.method
    if message.result is not None and _IS_ERROR.search(line.tail):
        message.result.is_error = True
    return message


def _closed(head: bytes) -> bytes:
    """Return a cut JSON text without its last, unfinished member, and with all brackets closed."""
    closers, cut = bytearray(), 0
    for token in _TOKEN.finditer(head):
        first = head[token.start()]
        if first in _CLOSER:
            closers.append(_CLOSER[first])
            cut = token.end()
        elif first in b"]}":
            del closers[-1:]
            cut = token.end()
        elif first == ord(","):
            cut = token.start()
    return head[:cut] + bytes(reversed(closers))


# -- the tolerant way


def _message(item: Any) -> Message:
    if not isinstance(item, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one of UNREADABLE, not a bug of ours
    error = item.get("error")
    return Message(
        method=_text(item.get("method")),
        id=_id(item["id"]) if "id" in item else UNSET,
        params=_params(_table(item.get("params"))),
        result=_result(_table(item.get("result"))),
        error=None if error is None else Failure(code=_integer(_table(error).get("code"))),
    )


def _params(item: dict[str, Any]) -> Params:
    reference = item.get("ref")
    return Params(
        name=_text(item.get("name")),
        uri=_text(item.get("uri")),
        reference=_reference(reference) if isinstance(reference, dict) else None,
        request_id=_known_id(item.get("requestId")),
        reason=_text(item.get("reason")),
        client=_named(item.get("clientInfo")),
        meta=_meta(_table(item.get("_meta"))),
    )


def _reference(item: dict[str, Any]) -> Reference:
    return Reference(name=_text(item.get("name")), uri=_text(item.get("uri")))


def _result(item: dict[str, Any]) -> Result:
    return Result(
        is_error=item.get("isError") is True,
        result_type=_text(item.get("resultType")),
        protocol_version=_text(item.get("protocolVersion")),
        server=_named(item.get("serverInfo")),
        meta=_meta(_table(item.get("_meta"))),
    )


def _meta(item: dict[str, Any]) -> Meta:
    names = dict(zip(Meta.__struct_fields__, Meta.__struct_encode_fields__, strict=True))
    odd = {"client": _named, "server": _named, "subscription_id": _known_id}
    read: dict[str, Any] = {key: odd.get(key, _text)(item.get(name)) for key, name in names.items()}
    return Meta(**read)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _named(value: Any) -> Named | None:
    return Named(name=_text(value.get("name"))) if isinstance(value, dict) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _id(value: Any) -> MessageId | UnsetType:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        return UNSET
    return value


def _known_id(value: Any) -> MessageId:
    found = _id(value)
    return None if found is UNSET else found
