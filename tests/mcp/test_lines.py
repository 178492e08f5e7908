"""Lines found in chunks: the same ones however the stream is cut, and never more held than said."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.mcp.lines import (
    HEAD_BYTES_MAX,
    LINE_BYTES_MAX,
    TAIL_BYTES_MAX,
    LineSplitter,
    LongLine,
)

STREAMS = st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"{}", b"\xff\x00", b"  "])).map(b"".join)


def chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(bounds) if a < b]


@given(STREAMS, st.lists(st.integers(0, 10_000)))
def test_lines_do_not_depend_on_where_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    splitter = LineSplitter()

    lines = [line for chunk in chunks(stream, cuts) for line in splitter.feed(chunk)]

    *expected, rest = stream.split(b"\n")
    assert (lines, splitter.unfinished) == (expected, len(rest))


def test_a_long_line_is_known_by_its_beginning_its_end_and_its_size() -> None:
    splitter = LineSplitter()
    line = b"<" + bytes(3 * LINE_BYTES_MAX) + b">"
    stream = b"one\n" + line + b"\ntwo\n"

    lines = [
        found
        for start in range(0, len(stream), 60_000)
        for found in splitter.feed(stream[start : start + 60_000])
    ]

    long = LongLine(head=line[:HEAD_BYTES_MAX], tail=line[-TAIL_BYTES_MAX:], size=len(line))
    assert lines == [b"one", long, b"two"]


def test_a_line_at_the_bound_is_whole_and_one_byte_above_it_is_long() -> None:
    for size, long in ((LINE_BYTES_MAX, False), (LINE_BYTES_MAX + 1, True)):
        splitter = LineSplitter()
        assert list(splitter.feed(bytes(10))) == []
        (line,) = splitter.feed(bytes(size - 10) + b"\n")
        assert isinstance(line, LongLine) is long


def test_a_line_without_end_is_not_held() -> None:
    splitter = LineSplitter()
    chunk = bytes(64 << 10)

    for _ in range(1600):  # 100 MB
        assert list(splitter.feed(chunk)) == []

    assert splitter.unfinished == 1600 * len(chunk)
    assert len(splitter._held._held) <= LINE_BYTES_MAX
