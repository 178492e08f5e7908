"""Codex's transcripts: `sessions/YYYY/MM/DD/rollout-*.jsonl` and `archived_sessions/`.

After each model call stands an event with the tokens of that call (`last_token_usage`) and of the
whole thread so far (`total_token_usage`); only one of them may be added up. Two things make a naive
sum far too large (ccusage issues 1288, 950 and 1370): the event is written again, with unchanged
totals, whenever limits are refreshed; and a forked or spawned session starts with a copy of its
parent's events under new timestamps. Therefore a call is named by the thread that it belongs to and
by the running totals after it: repetitions and copies have the same name, in any file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contextframe_monitoring.core.errors import NotFoundError
from contextframe_monitoring.ingest.transcripts.dialect import Dialect, LineError
from contextframe_monitoring.ingest.transcripts.folders import printable
from contextframe_monitoring.ingest.transcripts.line_values import (
    Count,
    ModelName,
    Name,
    RunningTotal,
    Timestamp,
    checked_name,
    decoded,
    key_part,
    read_over,
    time_us,
    tool_names,
)
from contextframe_monitoring.ingest.transcripts.usage_fact import PROJECT_CHARS_MAX, UsageFact

SOURCE = "codex"
PROVIDER = "openai"
_FOLDERS = ("sessions", "archived_sessions")
_MARKS = (b'"token_count"', b'"turn_context"', b'"session_meta"', b'_call"')
_NO_LETTER = re.compile(r"[^A-Za-z0-9]")


class _Tokens(msgspec.Struct, gc=False):
    """`cached` and `cache_write` are parts of input, reasoning is a part of output."""

    input_tokens: Count
    output_tokens: Count
    cached_input_tokens: Count | None = 0
    cache_write_input_tokens: Count | None = 0
    reasoning_output_tokens: Count | None = 0


class _Totals(msgspec.Struct, frozen=True, gc=False):
    """The tokens of a thread so far."""

    input_tokens: RunningTotal
    output_tokens: RunningTotal
    cached_input_tokens: RunningTotal | None = 0
    cache_write_input_tokens: RunningTotal | None = 0
    reasoning_output_tokens: RunningTotal | None = 0


class _Info(msgspec.Struct, gc=False):
    last_token_usage: _Tokens | None = None
    total_token_usage: _Totals | None = None
    model: ModelName | None = None


class _Payload(msgspec.Struct, gc=False):
    type: str | None = None
    info: _Info | None = None
    model: ModelName | None = None
    id: Name | None = None
    forked_from_id: Name | None = None
    cwd: str | None = None
    name: str | None = None


class _Entry(msgspec.Struct, gc=False):
    timestamp: Timestamp
    type: str
    payload: _Payload | None = None


class _Thread(msgspec.Struct, array_like=True):
    """What the lines so far say of those to come.

    `root` is the thread in which the first calls of the file were made, `heads` the number of
    threads whose head was copied into it, its own included.
    """

    session: str | None = None
    root: str | None = None
    heads: int = 0
    forks: int = 0
    model: str | None = None
    project: str | None = None
    totals: _Totals | None = None
    resets: int = 0
    calls: int = 0
    tools: tuple[str, ...] = ()


_ENTRY = msgspec.json.Decoder(_Entry)
_THREAD = msgspec.msgpack.Decoder(_Thread)


def default_folders(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return Codex's home: `CODEX_HOME`, else `~/.codex`.

    Raises `NotFoundError` when it holds no sessions.
    """
    place = Path(environ.get("CODEX_HOME") or home / ".codex")
    if not any((place / name).is_dir() for name in _FOLDERS):
        raise NotFoundError("folder of Codex transcripts", str(place), "give PATH or CODEX_HOME")
    return [place]


def folders_of(folder: Path) -> list[Path]:
    """Return the folders of sessions of a Codex home; any other folder is scanned as it is."""
    inside = [folder / name for name in _FOLDERS if (folder / name).is_dir()]
    return inside or [folder]


class CodexReader:
    """Reads one file: the calls in it depend on the lines before them, which the context holds."""

    def __init__(self, path: Path, context: bytes | None = None) -> None:
        """`context` is what `context()` returned when the file was last read."""
        self._place = _place_of(path)
        self._thread = _THREAD.decode(context) if context else _Thread()

    def fact(self, line: bytes) -> UsageFact | None:
        """Return the call whose tokens `line` tells; see `LineReader`."""
        if not any(mark in line for mark in _MARKS):
            read_over(line)
            return None
        entry = _entry(line)
        if entry is None or entry.payload is None:
            return None
        payload, thread = entry.payload, self._thread
        if entry.type == "event_msg" and payload.type == "token_count" and payload.info:
            return self._call(entry, payload.info)
        if entry.type == "response_item" and (payload.type or "").endswith("_call"):
            thread.tools = tool_names((*thread.tools, payload.name))
        elif entry.type == "session_meta":
            self._begin(payload)
        elif entry.type == "turn_context":
            thread.model = checked_name("payload.model", payload.model) or thread.model
            thread.project = thread.project or _project_of(payload.cwd)
        return None

    def context(self) -> bytes | None:
        """Return what later lines depend on; see `LineReader`."""
        return msgspec.msgpack.encode(self._thread)

    def _begin(self, payload: _Payload) -> None:
        """Take the session's own head.

        The heads of ancestors that follow it tell where its first lines come from.
        """
        thread = self._thread
        if thread.calls:
            return
        own = checked_name("payload.id", payload.id)
        forked = checked_name("payload.forked_from_id", payload.forked_from_id)
        thread.heads += 1
        thread.forks = max(thread.forks, thread.heads - 1, int(forked is not None))
        thread.session = thread.session or own
        thread.root = forked or own
        thread.project = thread.project or _project_of(payload.cwd)

    def _call(self, entry: _Entry, info: _Info) -> UsageFact | None:
        thread, before, totals = self._thread, self._thread.totals, info.total_token_usage
        used = info.last_token_usage
        if totals is not None:
            if totals == before:
                return None
            if before is not None and _fell(totals, before):
                thread.resets += 1
                before = None
            thread.totals = totals
            used = used or _difference(totals, before)
        if used is None or not (used.input_tokens or used.output_tokens):
            return None
        thread.calls += 1
        tools, thread.tools = thread.tools, ()
        model = checked_name("info.model", info.model) or thread.model
        return self._fact(time_us(entry.timestamp), model, used, self._key(totals), tools)

    def _key(self, totals: _Totals | None) -> str:
        thread = self._thread
        if totals is None:
            return f"{SOURCE}/{key_part(thread.session or self._place)}/call/{thread.calls}"
        counts = "-".join(str(count or 0) for count in msgspec.structs.astuple(totals))
        return f"{SOURCE}/{key_part(thread.root or self._place)}/{thread.resets}/{counts}"

    def _fact(
        self, when_us: int, model: str | None, used: _Tokens, key: str, tools: tuple[str, ...]
    ) -> UsageFact:
        cached, written = used.cached_input_tokens or 0, used.cache_write_input_tokens or 0
        reasoning = used.reasoning_output_tokens or 0
        if cached + written > used.input_tokens or reasoning > used.output_tokens:
            raise LineError(
                "a part is larger than its whole: cached in input, or reasoning in output tokens"
            )
        return UsageFact(
            key=key,
            group=key,
            source=SOURCE,
            provider=PROVIDER,
            time_us=when_us,
            line_us=when_us,
            model=model,
            input_tokens=used.input_tokens - cached - written,
            cache_read_tokens=cached,
            cache_write_5m_tokens=written,
            cache_write_1h_tokens=0,
            output_tokens=used.output_tokens,
            reasoning_tokens=reasoning,
            session=self._thread.session or self._place,
            project=self._thread.project,
            tools=tools,
            forks=self._thread.forks,
        )


def _entry(line: bytes) -> _Entry | None:
    """Decode a line that mentions what we look for; None when that stands in its text only."""
    return decoded(_ENTRY, line, _tells_usage)


def _tells_usage(entry: dict[str, Any]) -> bool:
    payload = entry.get("payload")
    return isinstance(payload, dict) and payload.get("type") == "token_count"


def _fell(totals: _Totals, before: _Totals) -> bool:
    pairs = zip(msgspec.structs.astuple(totals), msgspec.structs.astuple(before), strict=True)
    return any((now or 0) < (then or 0) for now, then in pairs)


def _difference(totals: _Totals, before: _Totals | None) -> _Tokens:
    then = msgspec.structs.asdict(before) if before is not None else {}
    now = msgspec.structs.asdict(totals)
    counts = {name: (count or 0) - (then.get(name) or 0) for name, count in now.items()}
    try:
        return msgspec.convert(counts, _Tokens)
    except msgspec.ValidationError as error:
        raise LineError(f"the growth of total_token_usage: {error}") from error


def _project_of(folder: str | None) -> str | None:
    """Name a project after its folder as Claude Code does, so that it is one in both tools."""
    return _NO_LETTER.sub("-", folder)[:PROJECT_CHARS_MAX] if folder else None


def _place_of(path: Path) -> str:
    """Name a session by its file, for those that don't name themselves.

    The name of a rollout is unique in itself and stays when it is archived.
    """
    parts = path.with_suffix("").parts
    if not parts[-1].startswith("rollout-"):
        for index in range(len(parts) - 2, -1, -1):
            if parts[index] in _FOLDERS:
                return printable("/".join(parts[index + 1 :]))[:PROJECT_CHARS_MAX]
    return printable("/".join(parts[-1:]))[:PROJECT_CHARS_MAX]


CODEX = Dialect(source=SOURCE, folders_of=folders_of, reader=CodexReader)
