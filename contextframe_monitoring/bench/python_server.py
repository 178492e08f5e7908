"""A child of `bench wrap`: a real MCP server of the Python SDK with one trivial tool."""

from __future__ import annotations

from mcp.server import MCPServer


def main() -> None:
    """Serve on standard input and output."""
    server = MCPServer("bench")

    @server.tool()
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    server.run("stdio")


if __name__ == "__main__":
    main()
