"""A name for a server, read off the command that starts it."""

from __future__ import annotations

import re

from contextframe_monitoring.core.privacy import bounded_name

_RUNNERS = re.compile(
    r"(?:python[\d.]*|pypy[\d.]*|node|nodejs|deno|bun|bunx|npx|npm|pnpm|yarn|uv|uvx|pipx|tsx|ruby"
    r"|java|dotnet|env)$"
)
_SUBCOMMANDS = frozenset({"run", "tool", "exec", "dlx", "x", "--", "-"})
_TAKES_VALUE = frozenset(
    {"--directory", "--from", "--with", "--project", "--python", "-p", "--package", "-W", "-X"}
)
_SAYS_LITTLE = frozenset(
    {"index", "main", "__main__", "server", "app", "cli", "dist", "build", "src", "bin", "lib"}
)
_ENDINGS = re.compile(r"\.(?:py|pyz|js|mjs|cjs|ts|mts|jar|dll|rb|exe|cmd|bat|sh)$", re.IGNORECASE)


def command_name(command: list[str]) -> str:
    """Return what a person would call the server: `mcp-server-time` for `python -m
    mcp_server_time`, `server-x` for `npx -y @scope/server-x@1.2`, the folder for
    `node /opt/notes/dist/index.js`.
    """
    program = _stem(command[0])
    if not _RUNNERS.match(program):
        return bounded_name(program)
    arguments = iter(command[1:])
    for argument in arguments:
        if argument == "-m":
            return bounded_name(next(arguments, program).split(".")[0].replace("_", "-"))
        if argument == "-c":
            break
        if argument in _TAKES_VALUE:
            next(arguments, None)
        elif argument and argument not in _SUBCOMMANDS and not _is_option(argument):
            found = _stem(argument)
            if _RUNNERS.match(found):  # `uv run python -m notes`
                return command_name([argument, *arguments])
            return bounded_name(found)
    return bounded_name(program)


def _is_option(argument: str) -> bool:
    return argument.startswith("-") or re.match(r"[A-Za-z_]\w*=", argument) is not None


def _stem(argument: str) -> str:
    """Return the part of a path or package name that says most."""
    package = re.fullmatch(r"@[\w.-]+/([\w.-]+)(?:@.*)?", argument)
    if package:
        return package.group(1)
    parts = [part for part in re.split(r"[/\\]", argument) if part not in {"", ".", ".."}]
    names = [_ENDINGS.sub("", part) for part in parts]
    while len(names) > 1 and names[-1].lower() in _SAYS_LITTLE:
        names.pop()
    return re.sub(r"(?:@|==|>=).*$", "", names[-1]) if names else argument
