"""A tool that says in one line which of its arguments is wrong, and what is allowed instead."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError

from contextframe_monitoring.core.errors import shown

ERRORS_MAX = 5


class ClearTool(Tool):
    """A registered tool whose arguments are refused in words that an agent can act upon."""

    async def run(self, arguments: dict[str, Any], *rest: Any, **options: Any) -> Any:
        """Run the tool. Raises `ToolError` for arguments that don't match its schema."""
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise ToolError(f"Error executing tool {self.name}: {said(error)}") from error
        return await super().run(arguments, *rest, **options)


def cleared(tool: Tool) -> ClearTool:
    """Return the same tool, clear about its arguments."""
    return ClearTool(**{name: getattr(tool, name) for name in Tool.model_fields})


def said(error: ValidationError) -> str:
    """Return what is wrong, argument by argument: its name, its value, what is allowed."""
    found = error.errors(include_url=False, include_context=False)
    lines = []
    for one in found[:ERRORS_MAX]:
        name = ".".join(map(str, one["loc"]))
        if one["type"] == "missing":
            lines.append(f"{name} is missing")
        else:
            allowed = one["msg"][:1].lower() + one["msg"][1:]
            lines.append(f"{name} = {shown(one['input'])} is not allowed: {allowed}")
    more = len(found) - ERRORS_MAX
    return "; ".join([*lines, f"and {more} more"] if more > 0 else lines)
