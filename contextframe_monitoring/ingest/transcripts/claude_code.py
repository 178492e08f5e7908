"""Claude Code's transcripts: `projects/<project>/<session>.jsonl`, subagents' files below.

Sources of the rules: transcripts of Claude Code 2.1, and the behaviour of ccusage. Several lines
tell of one message, in one file or in several, and its output grows from line to line; `usage_fact`
makes one fact of them. A subagent's message stands in the subagent's own file and wrapped in
`progress` lines of its parent's: both are sidechains here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from contextframe_monitoring.core.errors import NotFoundError
from contextframe_monitoring.ingest.transcripts.dialect import Dialect
from contextframe_monitoring.ingest.transcripts.folders import printable
from contextframe_monitoring.ingest.transcripts.line_values import (
    Count,
    ModelName,
    Name,
    Timestamp,
    check_version,
    checked_name,
    decoded,
    key_part,
    label,
    read_over,
    reported_nano_usd,
    time_us,
    tool_names,
)
from contextframe_monitoring.ingest.transcripts.usage_fact import (
    PROJECT_CHARS_MAX,
    UsageFact,
)

SOURCE = "claude-code"
PROVIDER = "anthropic"
_SYNTHETIC = "<synthetic>"
"""The model of lines that Claude Code writes itself when there was no call, as for errors."""


class _CacheWrites(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = 0
    ephemeral_1h_input_tokens: Count | None = 0


class _ServerTools(msgspec.Struct, gc=False):
    web_search_requests: Count | None = 0


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Count
    output_tokens: Count
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0
    cache_creation: _CacheWrites | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: Name | None = None
    speed: Name | None = None


class _Message(msgspec.Struct, gc=False):
    usage: _Usage | None = None
    id: Name | None = None
    model: ModelName | None = None
    content: msgspec.Raw = msgspec.Raw(b"[]")


class _Entry(msgspec.Struct, gc=False, rename="camel"):
    """A line, or the line that a `progress` line wraps in `data.message`."""

    timestamp: Timestamp
    message: _Message | None = None
    request_id: Name | None = None
    session_id: Name | None = None
    agent_id: Name | None = None
    is_sidechain: bool | None = None
    version: Name | None = None
    cost_usd: Decimal | None = msgspec.field(name="costUSD", default=None)
    data: _Progress | None = None


class _Progress(msgspec.Struct, gc=False, rename="camel"):
    message: _Entry | None = None
    agent_id: Name | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    name: str | None = None


_ENTRY = msgspec.json.Decoder(_Entry)
_BLOCKS = msgspec.json.Decoder(list[_Block])
_COUNTS = msgspec.msgpack.Decoder(dict[str, int])


def default_folders(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders of `CLAUDE_CONFIG_DIR` (a comma list), else the usual ones, that exist.

    Raises `NotFoundError` when none holds transcripts.
    """
    named = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",")]
    candidates = [
        home / part[2:] if part.startswith("~/") else Path(part) for part in named if part
    ]
    candidates = candidates or [home / ".config" / "claude", home / ".claude"]
    found = [
        path for path in candidates if folders_of(path)[0].name == "projects" and path.is_dir()
    ]
    if not found:
        looked = ", ".join(str(path) for path in candidates)
        raise NotFoundError(
            "folder of Claude Code transcripts", looked, "give PATH or CLAUDE_CONFIG_DIR"
        )
    return found


def folders_of(folder: Path) -> list[Path]:
    """Return `projects/` of a configuration folder; any other folder is scanned as it is."""
    projects = folder / "projects"
    return [projects] if projects.is_dir() else [folder]


class ClaudeCodeReader:
    """Reads one file.

    The context counts the lines without a message id, which nothing else tells apart; only old
    versions wrote such lines.
    """

    def __init__(self, path: Path, context: bytes | None = None) -> None:
        """`context` is what `context()` returned when the file was last read."""
        place = place_of(path)
        self._project = printable(place[0])[:PROJECT_CHARS_MAX]
        self._file = "/".join(place).encode("utf-8", "backslashreplace")
        self._anonymous: Counter[str] = Counter(_COUNTS.decode(context) if context else {})

    def fact(self, line: bytes) -> UsageFact | None:
        """Return the usage on `line`; see `LineReader`."""
        if b'"usage"' not in line:
            read_over(line)
            return None
        entry = _unwrapped(_entry(line))
        if entry is None or entry.message is None or entry.message.model == _SYNTHETIC:
            return None
        usage = entry.message.usage
        if usage is None:
            return None
        check_version(entry.version)
        message_id = checked_name("message.id", entry.message.id)
        request_id = checked_name("requestId", entry.request_id)
        if message_id is None:
            group = key = self._anonymous_key(line)
        else:
            group = f"{PROVIDER}/{key_part(message_id)}"
            key = f"{group}/{key_part(request_id or '')}"
        write_5m, write_1h = _cache_writes(usage)
        when_us = time_us(entry.timestamp)
        return UsageFact(
            key=key,
            group=group,
            source=SOURCE,
            provider=PROVIDER,
            time_us=when_us,
            line_us=when_us,
            model=checked_name("message.model", entry.message.model),
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_input_tokens or 0,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            output_tokens=usage.output_tokens,
            reported_nano_usd=reported_nano_usd(entry.cost_usd),
            service_tier=label(usage.service_tier),
            speed=label(usage.speed),
            web_searches=_web_searches(usage),
            is_sidechain=bool(entry.is_sidechain),
            message_id=message_id,
            request_id=request_id,
            session=checked_name("sessionId", entry.session_id),
            project=self._project,
            subagent=checked_name("agentId", entry.agent_id),
            tools=_tools(entry.message.content) if b"tool_use" in line else (),
        )

    def context(self) -> bytes | None:
        """Return the counts of lines without a message id; see `LineReader`."""
        return msgspec.msgpack.encode(self._anonymous) if self._anonymous else None

    def _anonymous_key(self, line: bytes) -> str:
        """Name a line without an id by its file, its content and how many equal ones precede it."""
        digest = hashlib.blake2b(self._file + b"\0" + line.strip(), digest_size=16).hexdigest()
        self._anonymous[digest] += 1
        return f"{SOURCE}/line/{digest}/{self._anonymous[digest]}"


def place_of(path: Path) -> tuple[str, ...]:
    """Return `path` from the project's folder on: that stays when the configuration moves."""
    parts = path.parts
    for index in range(len(parts) - 3, -1, -1):
        if parts[index] == "projects":
            return parts[index + 1 :]
    for index in range(len(parts) - 2, 1, -1):
        if parts[index] == "subagents":
            return parts[index - 2 :]
    return parts[-2:]


def _entry(line: bytes) -> _Entry | None:
    """Decode a line that mentions usage; None when that stands in its text only."""
    return decoded(_ENTRY, line, _tells_usage)


def _tells_usage(entry: dict[str, Any]) -> bool:
    data = entry.get("data")
    return _has_usage(entry) or (isinstance(data, dict) and _has_usage(data.get("message")))


def _has_usage(entry: object) -> bool:
    message = entry.get("message") if isinstance(entry, dict) else None
    return isinstance(message, dict) and message.get("usage") is not None


def _unwrapped(entry: _Entry | None) -> _Entry | None:
    """Return the line itself, or the subagent's line that it wraps."""
    if entry is None or entry.data is None or entry.data.message is None:
        return entry
    if entry.message is not None and entry.message.usage is not None:
        return entry
    wrapped = entry.data.message
    wrapped.session_id = entry.session_id or wrapped.session_id
    wrapped.version = entry.version
    wrapped.agent_id = entry.data.agent_id or wrapped.agent_id
    wrapped.is_sidechain = True
    return wrapped


def _cache_writes(usage: _Usage) -> tuple[int, int]:
    """Return the tokens of 5 m and 1 h writes: what the split doesn't tell of is at 5 m."""
    total, split = usage.cache_creation_input_tokens or 0, usage.cache_creation
    if split is None:
        return total, 0
    write_1h = split.ephemeral_1h_input_tokens or 0
    return max(total - write_1h, split.ephemeral_5m_input_tokens or 0), write_1h


def _web_searches(usage: _Usage) -> int:
    return (usage.server_tool_use.web_search_requests or 0) if usage.server_tool_use else 0


def _tools(content: msgspec.Raw) -> tuple[str, ...]:
    """Return the tools that the message calls; none when its content isn't a list of blocks."""
    try:
        blocks = _BLOCKS.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return ()
    return tool_names(block.name for block in blocks if block.type.endswith("tool_use"))


CLAUDE_CODE = Dialect(source=SOURCE, folders_of=folders_of, reader=ClaudeCodeReader)
