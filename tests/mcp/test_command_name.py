"""A server's name, read off its command."""

import pytest

from contextframe_monitoring.mcp.command_name import command_name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("mcp-server-git --repository /x", "mcp-server-git"),
        ("/usr/local/bin/mcp-server-git", "mcp-server-git"),
        ("python -m mcp_server_time --local-timezone UTC", "mcp-server-time"),
        ("python3.11 -m package.server", "package"),
        ("/opt/venv/bin/python -u server.py", "server"),
        ("python notes_server.py --port 1", "notes_server"),
        ("npx -y @scope/server-x@1.2.3 /data", "server-x"),
        ("npx -y server-memory@latest", "server-memory"),
        ("uvx mcp-server-fetch==1.0", "mcp-server-fetch"),
        ("uvx --from git+https://h/x mcp-notes", "mcp-notes"),
        ("uv run --directory /srv python -m mcp_notes", "mcp-notes"),
        ("uv --directory /srv run notes.py", "notes"),
        ("env KEY=secret python -m mcp_notes", "mcp-notes"),
        ("node /opt/notes/dist/index.js", "notes"),
        ("node dist/index.js", "dist"),
        (r"C:\tools\notes.exe -v", "notes"),
        ("deno run --allow-net main.ts", "main"),
        ("docker run -i --rm mcp/fetch", "docker"),
        ("python -c print(1)", "python"),
        ("python", "python"),
        ("python -m", "python"),
        ("/", "/"),
        ("npx", "npx"),
    ],
)
def test_a_command_is_called_what_a_person_would_call_it(command: str, name: str) -> None:
    assert command_name(command.split()) == name


def test_a_strange_command_gives_a_printable_bounded_name() -> None:
    assert command_name(["a\nb" + "x" * 1000]) == "a\ufffdb" + "x" * 252 + "…"
    assert command_name(["python", "", ""]) == "python"
