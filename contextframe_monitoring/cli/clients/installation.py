"""What `install` and `uninstall` change in the text of a configuration. Pure: text in, text out.

Installing again changes nothing. Uninstalling undoes what installing did, whatever else a person or
a client has changed meanwhile; the backup tells how a wrapped command was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contextframe_monitoring.cli.clients.document import (
    BYTE_ORDER_MARK,
    Document,
    Edit,
    Member,
    Span,
)
from contextframe_monitoring.cli.clients.edits import (
    added_member,
    fresh,
    removed_member,
    rendered,
    replaced_head,
)
from contextframe_monitoring.cli.clients.entries import (
    OWN_NAME,
    Entry,
    Which,
    absolute,
    is_same_program,
    read_entry,
)
from contextframe_monitoring.core.errors import ConflictError, MonitoringError, shown

SERVERS, PROJECTS = "mcpServers", "projects"
Path = tuple[str, ...]
"""Keys from the outermost object to a map of servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be installed into one file.

    `launcher` are the words that start our program, `options` what `serve` and `wrap` get beside
    their own, `serves` whether our own server is added, `typed` whether its entry says `stdio`.
    """

    launcher: Sequence[str]
    options: Sequence[str] = ()
    names: frozenset[str] = frozenset()
    wrap_all: bool = False
    serves: bool = True
    typed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """What is to be taken out of one file: by default everything that is ours.

    `names` are servers to unwrap, `wrap_all` means each of them, `serves` our own server.
    """

    names: frozenset[str] = frozenset()
    wrap_all: bool = True
    serves: bool = True


EVERYTHING = Unwanted()


@dataclass(slots=True)
class Change:
    """A text as it becomes, what is said about it, and the entries that were meant by name."""

    text: str
    said: list[str] = field(default_factory=list)
    matched: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Servers:
    """One map of servers in a document: by which keys it is reached, where it lies, its entries."""

    path: Path
    span: Span
    members: Mapping[str, Member]

    @property
    def where(self) -> str:
        """For a project's servers, which one."""
        return f" of {self.path[1]}" if len(self.path) > 1 else ""


def server_maps(document: Document) -> Iterator[Servers]:
    """Yield the user's servers and those of each project. Raises `InvalidError` when the user's
    are no object.
    """
    root = document.root
    servers = document.member(root, SERVERS)
    if servers is not None:
        if not isinstance(servers.value, dict):
            raise document.wrong(servers.start, f"expected an object under {SERVERS!r}")
        yield _servers(document, (SERVERS,), servers)
    projects = document.member(root, PROJECTS)
    if projects is None or not isinstance(projects.value, dict):
        return
    for project in {m.key: m for m in document.members(projects.span)}.values():
        if isinstance(project.value, dict) and isinstance(project.value.get(SERVERS), dict):
            found = document.member(project.span, SERVERS)
            if found is not None:
                yield _servers(document, (PROJECTS, project.key, SERVERS), found)


def _servers(document: Document, path: Path, member: Member) -> Servers:
    members = {found.key: found for found in document.members(member.span)}
    return Servers(path, member.span, members)


def is_blank(text: str) -> bool:
    """Return whether a file holds nothing at all."""
    return not text.removeprefix(BYTE_ORDER_MARK).strip()


# -- install


def installed(text: str, name: str, wanted: Wanted, which: Which) -> Change:
    """Return a configuration with our server in it and servers wrapped as wanted.

    `name` is the file's. Raises `InvalidError` for a text that is no configuration,
    `ConflictError` where our name is taken.
    """
    if is_blank(text):
        if not wanted.serves:
            return Change(text)
        mark = text[: len(BYTE_ORDER_MARK)] if text.startswith(BYTE_ORDER_MARK) else ""
        entry = {SERVERS: {OWN_NAME: _own_value(wanted)}}
        return Change(fresh(entry, byte_order_mark=mark), [f"adds {OWN_NAME}"])
    document = Document(text, name)
    change = Change(text)
    edits: list[Edit] = []
    user: Servers | None = None
    for servers in server_maps(document):
        user = servers if servers.path == (SERVERS,) else user
        for key, member in servers.members.items():
            edits += _installed_entry(document, servers, key, member, wanted, which, change)
    if wanted.serves and not _serves_already(user, name):
        edits += _own_added(document, user, wanted)
        change.said.insert(0, f"adds {OWN_NAME}")
    change.text = document.edited(edits)
    return change


def _serves_already(user: Servers | None, name: str) -> bool:
    members = user.members if user is not None else {}
    if any(read_entry(member.value).kind == "own" for member in members.values()):
        return True
    if OWN_NAME in members:
        raise ConflictError(
            f"{name}: the entry {OWN_NAME!r} starts something else"
            f" ({shown(read_entry(members[OWN_NAME].value).command)}): rename or remove it"
        )
    return False


def _own_value(wanted: Wanted) -> dict[str, Any]:
    command, *rest = wanted.launcher
    kind = {"type": "stdio"} if wanted.typed else {}
    return {**kind, "command": command, "args": [*rest, "serve", *wanted.options]}


def _own_added(document: Document, user: Servers | None, wanted: Wanted) -> list[Edit]:
    if user is None:
        return added_member(document, document.root, SERVERS, {OWN_NAME: _own_value(wanted)})
    return added_member(document, user.span, OWN_NAME, _own_value(wanted))


def _installed_entry(
    document: Document,
    servers: Servers,
    key: str,
    member: Member,
    wanted: Wanted,
    which: Which,
    change: Change,
) -> list[Edit]:
    """Return the edits for one entry, and note in `change` what is to be said of it."""
    entry = read_entry(member.value)
    meant = wanted.wrap_all or key in wanted.names
    change.names.add(key)
    if meant:
        change.matched.add(key)
    if entry.kind in {"own", "wrapped"}:
        return _refreshed(document, servers, key, member, entry, wanted, change, meant=meant)
    if not meant:
        return []
    title = f"{key}{servers.where}"
    if entry.kind == "remote":
        change.said.append(f"leaves {title}: it is reached by URL, not started")
        return []
    if entry.kind == "unclear":
        change.said.append(f"leaves {title}: its command and args are not texts")
        return []
    path = absolute(entry, which)
    change.said.append(f"wraps {title}")
    if path is None:
        change.said.append(
            f"  {entry.command} is on no search path here: it stays as it is written"
        )
    head = (*wanted.launcher, "wrap", "--name", key, *wanted.options, "--")
    return _reworded(document, member, 1, (*head, path or entry.command))


def _refreshed(
    document: Document,
    servers: Servers,
    key: str,
    member: Member,
    entry: Entry,
    wanted: Wanted,
    change: Change,
    *,
    meant: bool,
) -> list[Edit]:
    """Let an entry that starts us start the installation that we are."""
    title = f"{key}{servers.where}"
    if not entry.is_written_by_us or entry.launcher == tuple(wanted.launcher):
        if meant:
            own = "it is our own server" if entry.kind == "own" else "it is wrapped already"
            change.said.append(f"leaves {title}: {own}")
        return []
    change.said.append(f"updates the path of our program in {title}")
    return _reworded(document, member, entry.launcher_length, wanted.launcher)


def _reworded(document: Document, member: Member, count: int, words: Sequence[str]) -> list[Edit]:
    """Return the edits that put `words` in the place of the first `count` words of the command
    line in an entry.
    """
    command = document.member(member.span, "command")
    arguments = document.member(member.span, "args")
    if command is None:
        return []
    edits = []
    if command.value != words[0]:
        text = json.dumps(words[0], ensure_ascii=False)
        edits.append(Edit(command.span.start, command.span.end, text))
    head = list(words[1:])
    if arguments is not None:
        if arguments.value[: count - 1] != head or count - 1 != len(head):
            edits += replaced_head(document, arguments.span, count - 1, head)
    elif head:
        indent = document.indent_at(command.start)
        if indent is None:
            value = f', "args": {json.dumps(head, ensure_ascii=False)}'
        else:
            value = f',{document.line_end}{indent}"args": {rendered(document, head, indent)}'
        edits.append(Edit(command.span.end, command.span.end, value))
    return edits


# -- uninstall


def uninstalled(
    text: str, name: str, original: str | None, unwanted: Unwanted = EVERYTHING
) -> Change:
    """Return a configuration without what is unwanted: our server, and what we wrapped is as it was
    before.

    `original` is the backup, as far as there is one. Raises `InvalidError` for a text that is no
    configuration.
    """
    change = Change(text)
    if is_blank(text):
        return change
    document = Document(text, name)
    before = _entries_before(original, name)
    edits: list[Edit] = []
    for servers in server_maps(document):
        for key, member in servers.members.items():
            entry = read_entry(member.value)
            known = None if before is None else before.get((*servers.path, key))
            is_ours = entry.is_written_by_us
            if _is_meant(key, servers, entry, unwanted, change):
                edits += _unwrapped(document, servers, key, member, entry, known, change)
            elif unwanted.serves and entry.kind == "own" and is_ours and key == OWN_NAME:
                edits += _own_removed(document, servers, member, entry, known, before, change)
    change.text = document.edited(edits)
    return change


def _is_meant(key: str, servers: Servers, entry: Entry, unwanted: Unwanted, change: Change) -> bool:
    """Return whether an entry is to be unwrapped, and note in `change` what is to be said of one
    that was named.
    """
    is_ours = entry.kind == "wrapped" and entry.is_written_by_us
    change.names.add(key)
    if key in unwanted.names:
        change.matched.add(key)
        if not is_ours:
            by_hand = "it was wrapped by hand" if entry.kind == "wrapped" else "it is not wrapped"
            change.said.append(f"leaves {key}{servers.where}: {by_hand}")
    return is_ours and (unwanted.wrap_all or key in unwanted.names)


def _entries_before(original: str | None, name: str) -> dict[Path, Any] | None:
    """Return what the backup holds, each map's path and each entry's with its value; None when
    there is no backup that can be read.
    """
    if original is None or is_blank(original):
        return None
    try:
        document = Document(original, name)
        found = list(server_maps(document))
    except MonitoringError:
        return None
    entries: dict[Path, Any] = {servers.path: True for servers in found}
    for servers in found:
        for key, member in servers.members.items():
            entries[(*servers.path, key)] = member.value
    return entries


def _own_removed(
    document: Document,
    servers: Servers,
    member: Member,
    entry: Entry,
    known: Any,
    before: Mapping[Path, Any] | None,
    change: Change,
) -> list[Edit]:
    earlier = read_entry(known)
    if earlier.kind == "own":
        words = (earlier.command, *earlier.arguments)
        return _reworded(document, member, 1 + len(entry.arguments), words)
    change.said.append(f"removes {OWN_NAME}")
    if before is not None and servers.path not in before and len(servers.members) == 1:
        return removed_member(document, document.root, SERVERS)
    return removed_member(document, servers.span, OWN_NAME)


def _unwrapped(
    document: Document,
    servers: Servers,
    key: str,
    member: Member,
    entry: Entry,
    known: Any,
    change: Change,
) -> list[Edit]:
    if not entry.wrapped or read_entry(known).kind == "wrapped":
        return []
    change.said.append(f"unwraps {key}{servers.where}")
    path, *rest = entry.wrapped
    count = 1 + len(entry.arguments) - len(rest)
    earlier = read_entry(known)
    same = earlier.kind == "stdio" and is_same_program(path, earlier.command)
    edits = _reworded(document, member, count, (earlier.command if same else path,))
    if not rest and same and "args" not in known:
        kept = [edit for edit in edits if not _within(edit, document, member)]
        return [*kept, *removed_member(document, member.span, "args")]
    return edits


def _within(edit: Edit, document: Document, member: Member) -> bool:
    """Return whether an edit changes the arguments of an entry."""
    arguments = document.member(member.span, "args")
    return arguments is not None and arguments.span.start < edit.start < arguments.span.end
