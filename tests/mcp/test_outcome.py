"""One table from an exception to a status, without an MCP server around it."""

import asyncio

import pytest
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.shared.exceptions import MCPError

from contextframe_monitoring.mcp.outcome import (
    CANCELLED,
    INPUT_REQUIRED,
    SUCCESS,
    TOOL_FAILED,
    Outcome,
    outcome_of_error,
    outcome_of_result,
    outcome_of_tool_error,
)


def caused(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MCPError(-32001, "x"), Outcome("timeout", "-32001", -32001)),
        (MCPError(-32000, "x"), Outcome("error", "-32000", -32000)),
        (caused(MCPError(-32603, "x"), KeyError()), Outcome("error", "KeyError", -32603)),
        (caused(MCPError(-32603, "x"), TimeoutError()), Outcome("timeout", "TimeoutError", -32603)),
        (TimeoutError(), Outcome("timeout", "TimeoutError")),
        (ValueError("x"), Outcome("error", "ValueError")),
        (ExceptionGroup("x", [ValueError()]), Outcome("error", "ExceptionGroup")),
        (asyncio.CancelledError(), CANCELLED),
        (GeneratorExit(), CANCELLED),
        (KeyboardInterrupt(), CANCELLED),
    ],
)
def test_an_exception_has_an_outcome(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of_error(error, "tools/call", texts=False) == outcome


def test_the_messages_of_exceptions_are_only_looked_at_when_asked_for() -> None:
    class Shy(Exception):  # noqa: N818 - a name like any other
        def __str__(self) -> str:
            raise AssertionError("nobody asked")

    assert outcome_of_error(Shy(), "x", texts=False).text is None
    assert outcome_of_tool_error(Shy(), texts=False).text is None
    assert outcome_of_error(ValueError("said"), "x", texts=True).text == "said"
    assert outcome_of_error(MCPError(-1, "said"), "x", texts=True).text == "said"


def test_wrappers_of_the_sdk_are_taken_off_and_loops_of_causes_end() -> None:
    crash = caused(UnexpectedToolError("x"), caused(UnexpectedToolError("y"), OSError("disk")))
    assert isinstance(crash, ToolError)
    assert outcome_of_tool_error(crash, texts=True) == Outcome("error", "OSError", None, "disk")
    looped = UnexpectedToolError("x")
    looped.__cause__ = looped
    assert outcome_of_tool_error(looped, texts=False).error_type == "UnexpectedToolError"


def test_a_prompt_fails_as_what_it_raised_and_other_methods_as_what_they_raise() -> None:
    wrapped = caused(ValueError("x"), caused(ValueError("y"), LookupError("z")))
    assert outcome_of_error(wrapped, "prompts/get", texts=False).error_type == "LookupError"
    assert outcome_of_error(wrapped, "tools/call", texts=False).error_type == "ValueError"


def test_a_result_tells_how_it_ended() -> None:
    assert outcome_of_result({}) is SUCCESS
    assert outcome_of_result(None) is SUCCESS
    assert outcome_of_result({"isError": False, "resultType": "complete"}) is SUCCESS
    assert outcome_of_result({"isError": True}) is TOOL_FAILED
    assert outcome_of_result({"resultType": "input_required"}) is INPUT_REQUIRED
