"""How a call that was seen going by ended, read off its answer or off what stood in for one."""

from __future__ import annotations

from typing import NamedTuple

from contextframe_monitoring.core.records import Status
from contextframe_monitoring.mcp.message import Failure, Result

UNPARSABLE = "unparsable"
"""`operation_type` of a frame that is no JSON-RPC message: it has no method."""

_PARSE_ERROR_CODE = -32700
_TIMEOUT_CODE = -32001
_CODE_MAX = 2**31
_HTTP_TIMEOUTS = (408, 504)
_NOT_ALLOWED = 405
_MAY_BE_DECLINED = ("DELETE", "GET")


class Ending(NamedTuple):
    """The end of an operation; `status_code` is the JSON-RPC error's, or HTTP's."""

    status: Status
    error_type: str | None = None
    status_code: int | None = None


SUCCESS = Ending("success")
TOOL_ERROR = Ending("error", "tool_error")
INPUT_REQUIRED = Ending("input_required")
CANCELLED = Ending("cancelled")
CLIENT_TIMEOUT = Ending("timeout", "client_timeout")
SERVER_DISCONNECTED = Ending("error", "ServerDisconnected")
NO_ANSWER = Ending("error", "NoAnswer")
SESSION_ENDED = Ending("error", "SessionEnded")
RELAY_STOPPED = Ending("error", "RelayStopped")
UNREACHABLE = Ending("error", "ServerUnreachable", 502)
PARSE_FAILED = Ending("error", "ParseError", _PARSE_ERROR_CODE)
DECLINED = Ending("success", None, _NOT_ALLOWED)
"""A client asked for what the protocol leaves to the server, and the server has it not."""


def server_exited(code: int) -> Ending:
    """Return the end of what a process that ended with `code` left unanswered."""
    return Ending("error", "ServerExited", code)


def http_refusal(status_code: int) -> Ending:
    """Return the end of what HTTP refused with `status_code`."""
    status: Status = "timeout" if status_code in _HTTP_TIMEOUTS else "error"
    return Ending(status, f"http_{status_code}", status_code)


def is_declined(verb: str, status_code: int) -> bool:
    """Return whether HTTP said no as the protocol provides, which is no failure.

    A client tries the stream of the server's own messages by GET, and ends its session by DELETE;
    a server that has neither answers 405 (streamable HTTP, since 2025-03-26).
    """
    return status_code == _NOT_ALLOWED and verb in _MAY_BE_DECLINED


def ending_of(result: Result | None, error: Failure | None) -> Ending:
    """Return the end that an answer tells."""
    if error is not None:
        code = error.code
        if code is None or not -_CODE_MAX <= code < _CODE_MAX:
            return Ending("error", "unknown")
        return Ending("timeout" if code == _TIMEOUT_CODE else "error", str(code), code)
    if result is None:
        return SUCCESS
    if result.is_error:
        return TOOL_ERROR
    return INPUT_REQUIRED if result.result_type == "input_required" else SUCCESS
