"""For any lines, valid or not, that a client and a server write under `wrap`: they pass as they
are, and every message is recorded once.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.mcp.call import Direction
from tests.mcp.test_relay import pumping
from tests.mcp.test_wire_law import JUNK, LINES
from tests.mcp.watched import Watched

BATCHES = st.lists(st.one_of(LINES, st.sampled_from(JUNK)), max_size=3).map(
    lambda lines: f"[{','.join(line.strip() or 'null' for line in lines)}]\n"
)
FRAMES = st.one_of(LINES, LINES, BATCHES, st.sampled_from(["\n", "  \r\n", "{}\n"])).map(
    lambda line: line.encode("utf-8", "surrogatepass")
)
Found = Counter[tuple[str, str, str]]


def parts_of(line: bytes) -> list[Any]:
    """Return what a line holds: the parts of a batch, one object, or one thing that is none."""
    try:
        content = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return [None]
    return content if isinstance(content, list) and content else [content]


def what_is(part: Any) -> tuple[str, str] | None:
    """Return kind and method of what is to be recorded, None for an answer."""
    if not isinstance(part, dict):
        return "request", "unparsable"
    number = part.get("id")
    has_id = isinstance(number, str | int | float) and not isinstance(number, bool)
    if isinstance(part.get("method"), str):
        return "request" if has_id else "notification", part["method"]
    known = has_id or ("id" in part and number is None)
    return None if known else ("request", "unparsable")


def messages(direction: Direction, frames: list[bytes]) -> Found:
    """Return what is to be recorded of these lines. An answer is no message of its own."""
    found: Found = Counter()
    for line in b"".join(frames).split(b"\n")[:-1]:
        for part in parts_of(line) if line.strip() else []:
            told = what_is(part)
            if told is not None:
                found[direction, *told] += 1
    return found


@pytest.mark.requirement("spine:wrap:byte-exact", "spine:wrap:strange-frames")
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["in", "out"]), st.lists(FRAMES, max_size=5)), max_size=4)
)
@example([("in", [b'{"id":1,"method":"a"}\n', b'{"id":1,"method":"b"}\n']), ("out", [b"hi\n"])])
@pytest.mark.requirement("doors:shown:law", "doors:wire:once")
def test_the_same_bytes_come_out_and_every_message_is_recorded_once(
    turns: list[tuple[Direction, list[bytes]]],
) -> None:
    wanted: Found = Counter()
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder), pending_max=4)
        for way, frames in turns:
            with pumping(lambda line, at, way=way: watched.observer.see(way, line, at)) as here:
                assert here.through(frames) == b"".join(frames)
                assert here.pump.observer_errors == 0
            wanted += messages(way, frames)
        watched.observer.server_exited(0, 0)
        watched.recorder.close()
        assert watched.recorder.losses == {}
        found = Counter((r.direction, r.kind, r.operation_type) for r in watched.records())
    assert found == wanted
