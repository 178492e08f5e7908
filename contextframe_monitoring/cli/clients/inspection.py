"""What `doctor` sees in the configurations of clients: is our server there, is every program that
they start through us, are others watched?
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from contextframe_monitoring.cli.clients.config_file import read, text_of
from contextframe_monitoring.cli.clients.document import Document
from contextframe_monitoring.cli.clients.entries import Entry, Which, read_entry
from contextframe_monitoring.cli.clients.installation import is_blank, server_maps
from contextframe_monitoring.cli.clients.launcher import is_temporary
from contextframe_monitoring.cli.clients.place import Place
from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.errors import MonitoringError


def inspected(
    client: str, title: str, places: Sequence[Place], which: Which
) -> Iterator[Fact | Symptom]:
    """Yield what is found in the files of a client; `client` is its name in commands."""
    used = [place for place in places if place.is_used]
    if not used:
        yield Fact(check=client, says=f"no configuration of {title} was found")
    for place in used:
        try:
            yield from _file(client, place, which)
        except MonitoringError as error:
            yield Symptom(
                check=client,
                severity="error",
                problem=str(error),
                remedy=f"repair the file: {title} can't read it either",
            )


def _file(client: str, place: Place, which: Which) -> Iterator[Fact | Symptom]:
    text = text_of(read(place.file), place.file)
    kinds: Counter[str] = Counter()
    if not is_blank(text):
        document = Document(text, str(place.file))
        for servers in server_maps(document):
            for key, member in servers.members.items():
                entry = read_entry(member.value)
                kinds[entry.kind] += 1
                yield from _entry(client, f"{key}{servers.where}", entry, which)
    parts = [f"{kinds['wrapped']} of {kinds['wrapped'] + kinds['stdio']} servers watched"]
    if place.serves:
        parts.insert(0, "our server is there" if kinds["own"] else "our server is not there")
    if kinds["stdio"] or (place.serves and not kinds["own"]):
        parts.append(f"`contextframe-monitoring install {client} --wrap-all` sees to it")
    yield Fact(check=client, says=f"{place.file}: {'; '.join(parts)}")


def _entry(client: str, title: str, entry: Entry, which: Which) -> Iterator[Symptom]:
    if entry.own_arguments is None:
        return
    launcher = entry.launcher
    if not _is_there(launcher[0], entry.search_path, which):
        yield Symptom(
            check=client,
            severity="error",
            problem=f"{title} starts {launcher[0]}, which is not there",
            remedy=f"run `contextframe-monitoring install {client}`: it writes the new path",
        )
    elif is_temporary(launcher):
        yield Symptom(
            check=client,
            severity="warning",
            problem=f"{title} starts {launcher[0]}, in a temporary environment",
            remedy="run `uv tool install contextframe-monitoring` (or `pipx install`), then"
            f" `contextframe-monitoring install {client}`",
        )
    for program in entry.wrapped[:1]:
        if not _is_there(program, entry.search_path, which):
            yield Symptom(
                check=client,
                severity="error",
                problem=f"{title} wraps {program}, which is not there",
                remedy="install that server again, or write its new path into"
                f" {client}'s configuration",
            )


def _is_there(program: str, search_path: str | None, which: Which) -> bool:
    """Return whether a program can be started; what is relative to somewhere else may be."""
    if os.path.isabs(program):
        return Path(program).is_file()
    return os.sep in program or which(program, search_path) is not None
