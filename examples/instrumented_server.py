"""An MCP server that is watched: one line, and it answers questions about itself.

Run it with any MCP client, for example `python examples/instrumented_server.py` as a stdio server.
"""

from mcp.server import MCPServer

from contextframe_monitoring import Monitor, instrument

server = MCPServer("library", instructions="A small library.")
BOOKS = {"1": "The Dream of the Red Chamber", "2": "Middlemarch"}


@server.tool()
async def find_book(number: str) -> str:
    """Return the title of a book by its number."""
    return BOOKS[number]


monitor = Monitor.open(name="library")
instrument(server, monitor, tools=True)

if __name__ == "__main__":
    with monitor:
        server.run("stdio")
