"""How an operation ended: one table from a result or an exception to a status.

Messages of errors are contents: they are only looked at when `texts` asks for them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mcp.server.mcpserver.exceptions import UnexpectedResourceError, UnexpectedToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, REQUEST_TIMEOUT
from pydantic import ValidationError

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import Status

TOOL_ERROR = "tool_error"
"""`error_type` of a failed tool whose exception can't be had (the word of OpenTelemetry)."""
CLIENT_TIMEOUT = "client_timeout"
"""`error_type` of an operation whose client stopped waiting."""

_WRAPPERS_MAX = 8


class Outcome(NamedTuple):
    """The end of an operation. `text` is what the exception said, not bounded and not masked."""

    status: Status
    error_type: str | None = None
    status_code: int | None = None
    text: str | None = None


SUCCESS = Outcome("success")
CANCELLED = Outcome("cancelled")
INPUT_REQUIRED = Outcome("input_required")
TIMED_OUT = Outcome("timeout", CLIENT_TIMEOUT)
TOOL_FAILED = Outcome("error", TOOL_ERROR)


def outcome_of_result(result: Any) -> Outcome:
    """Return the outcome that a result tells by itself."""
    if type(result) is dict:
        if result.get("isError"):
            return TOOL_FAILED
        return INPUT_REQUIRED if result.get("resultType") == "input_required" else SUCCESS
    # a model: a middleware inside ours answered without the handler
    if getattr(result, "is_error", False):
        return TOOL_FAILED
    return INPUT_REQUIRED if getattr(result, "result_type", 0) == "input_required" else SUCCESS


def outcome_of_tool_error(error: Exception, *, texts: bool) -> Outcome:
    """Return the outcome of a tool call that an `MCPServer` ended with this `ToolError`."""
    cause = _unwrapped(error.__cause__ or error)
    return Outcome(_status_of(cause), class_of(cause), None, str(cause) if texts else None)


def outcome_of_error(error: BaseException, method: str, *, texts: bool) -> Outcome:
    """Return the outcome of an exception that came out of the handler of `method`."""
    if not isinstance(error, Exception):
        return CANCELLED  # asyncio's, trio's, or the interpreter's way of tearing a task off
    if isinstance(error, MCPError):
        return _outcome_of_protocol_error(error, texts=texts)
    text = str(error) if texts else None
    if isinstance(error, ValidationError):
        return Outcome("error", "ValidationError", INVALID_PARAMS, text)
    cause = _behind_prompt(error) if method == "prompts/get" else error
    return Outcome(_status_of(cause), class_of(cause), None, text)


def class_of(error: BaseException) -> str:
    """Return the bounded name of an exception's class."""
    return bounded_name(type(error).__qualname__)


def _outcome_of_protocol_error(error: MCPError, *, texts: bool) -> Outcome:
    code = error.error.code
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    cause = _unwrapped(behind) if isinstance(behind, Exception) else None
    status: Status = "timeout" if code == REQUEST_TIMEOUT else _status_of(cause)
    text = error.error.message if texts else None
    return Outcome(status, str(code) if cause is None else class_of(cause), code, text)


def _status_of(error: BaseException | None) -> Status:
    return "timeout" if isinstance(error, TimeoutError) else "error"


def _unwrapped(error: BaseException) -> BaseException:
    """Return what a tool or resource raised, without the SDK's wrappers around crashes."""
    for _ in range(_WRAPPERS_MAX):
        wrapped = isinstance(error, UnexpectedToolError | UnexpectedResourceError)
        if not wrapped or error.__cause__ is None:
            break
        error = error.__cause__
    return error


def _behind_prompt(error: BaseException) -> BaseException:
    """Return what a prompt raised: the SDK wraps it in two `ValueError`s."""
    for _ in range(_WRAPPERS_MAX):
        if type(error) is not ValueError or error.__cause__ is None:
            break
        error = error.__cause__
    return error
