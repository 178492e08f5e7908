"""What a tool raised: an `MCPServer` makes an `isError` result of it before a middleware sees it.

So its public `call_tool` is overridden on the instance, and what the exception means is left under
the session object of the message, which the SDK makes anew for each message. The exception itself
is not kept: its frames hold the session, so neither would ever be freed.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

from mcp.server.mcpserver.exceptions import ToolError

from contextframe_monitoring.mcp.adapter import Context, ToolServer
from contextframe_monitoring.mcp.outcome import Outcome, outcome_of_tool_error

_MARK = "_contextframe_causes"


class ToolCauses:
    """The outcomes of the tool calls that failed and whose message is still being handled."""

    def __init__(self, server: ToolServer[Any]) -> None:
        """Watch the tool calls of `server` from now on."""
        self.texts = False
        self.watchers: list[Callable[[str, BaseException], None]] = []
        """Told of each failed call, the tool's name and what it raised, while that is at hand."""
        self._outcomes: MutableMapping[Any, Outcome] = WeakKeyDictionary()
        outcomes, original = self._outcomes, server.call_tool

        async def call_tool(name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            try:
                result = await original(name, arguments, context)
            except ToolError as error:
                if context is not None:
                    outcome = outcome_of_tool_error(error, texts=self.texts)
                    outcomes[context.request_context.session] = outcome
                for watcher in self.watchers:
                    watcher(name, error.__cause__ or error)
                raise
            if outcomes and context is not None:  # a nested call failed, and its caller lived on
                outcomes.pop(context.request_context.session, None)
            return result

        server.call_tool = call_tool  # type: ignore[method-assign]

    def outcome_of(self, ctx: Context) -> Outcome | None:
        """Return how the tool call of this message failed; None when no exception was seen."""
        return self._outcomes.get(ctx.session)


def causes_of(server: object, *, texts: bool) -> ToolCauses | None:
    """Return the causes kept for `server`, from now on if it was not watched yet.

    `texts` asks for the messages of the exceptions too. None for a server that leaves what its
    tools raise to the middleware.
    """
    if not isinstance(server, ToolServer):
        return None
    causes = getattr(server, _MARK, None)
    if not isinstance(causes, ToolCauses):
        causes = ToolCauses(server)
        setattr(server, _MARK, causes)
    causes.texts = causes.texts or texts
    return causes
