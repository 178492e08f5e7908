"""The frame law: what was put comes out, whatever happens to the bytes around it."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.store.spool.frames import (
    ALIGNMENT,
    FRAME_BYTES_MAX,
    FRAME_HEAD,
    HEAD_BYTES,
    SEQ,
    Frame,
    Scan,
    frame_at,
    frame_bytes,
)

LAW = settings(derandomize=True, deadline=None, max_examples=200)
RECORDS = st.lists(st.binary(max_size=60), min_size=1, max_size=12)


def packed(record: bytes, seq: int) -> bytes:
    payload = SEQ.pack(seq) + record
    frame = FRAME_HEAD.pack(len(payload), zlib.crc32(payload)) + payload
    return frame.ljust(frame_bytes(len(payload)), b"\0")


def written(records: list[bytes]) -> bytes:
    return b"".join(packed(record, seq) for seq, record in enumerate(records, 1))


def scanned(data: bytes, *, sealed: bool = True, **kwargs: object) -> tuple[list[Frame], Scan]:
    scan = Scan(data=data, end=0, sealed=sealed, **kwargs)  # type: ignore[arg-type]
    return list(scan), scan


def identities(frames: list[Frame]) -> list[tuple[int, bytes]]:
    return [(frame.seq, frame.record) for frame in frames]


@LAW
@given(RECORDS, st.integers(0, 200), st.booleans())
def test_what_was_put_comes_out_in_order_before_any_number_of_zeros(
    records: list[bytes], zeros: int, sealed: bool
) -> None:
    data = written(records)
    frames, scan = scanned(data + bytes(zeros), sealed=sealed)
    assert identities(frames) == list(enumerate(records, 1))
    assert (scan.damaged, scan.end) == (0, len(data))


@pytest.mark.requirement("spine:spool:damage")
@LAW
@given(st.data())
def test_damage_costs_only_the_frames_that_it_touches(data: st.DataObject) -> None:
    records = data.draw(RECORDS)
    whole = written(records)
    at = data.draw(st.integers(0, len(whole) - 1))
    blow = data.draw(st.binary(min_size=1, max_size=40))
    hurt = bytearray(whole + bytes(64))
    hurt[at : at + len(blow)] = blow
    frames, scan = scanned(bytes(hurt[: len(whole) + 64]))

    start, kept = 0, []
    for seq, record in enumerate(records, 1):
        end = start + frame_bytes(len(record) + SEQ.size)
        if hurt[start:end] == whole[start:end] or frame_at(bytes(hurt), start) is not None:
            kept.append((seq, record))  # blows upon padding, or of equal bytes, do no harm
        start = end
    assert identities(frames) == kept
    reached = kept[-1][0] if kept else 0
    assert scan.damaged or [seq for seq, _ in kept] == list(range(1, reached + 1))


@LAW
@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_bytes_that_nobody_framed_yield_nothing(noise: bytes, sealed: bool, grown: bool) -> None:
    frames, scan = scanned(noise, sealed=sealed, grown=grown)
    assert frames == []
    assert scan.end == (len(noise) if sealed and noise.strip(b"\0") else 0)


def test_a_record_of_no_bytes_is_a_frame() -> None:
    assert scanned(packed(b"", 7))[0] == [Frame(seq=7, record=b"", end=16)]


def test_the_largest_frame_is_read_and_a_larger_one_is_none() -> None:
    largest = bytes(FRAME_BYTES_MAX - SEQ.size)
    assert identities(scanned(packed(largest, 1))[0]) == [(1, largest)]
    assert scanned(packed(largest + b"\0", 1))[0] == []


def test_a_frame_takes_whole_steps_of_the_alignment() -> None:
    sizes = [frame_bytes(size) for size in range(1, 200)]
    assert all(size % ALIGNMENT == 0 for size in sizes)
    assert all(HEAD_BYTES + n <= size < HEAD_BYTES + n + 8 for n, size in enumerate(sizes, 1))


def test_a_living_writers_unfinished_frame_stops_the_scan_and_is_read_when_it_is_whole() -> None:
    first, second = packed(b"one", 1), packed(b"two", 2)
    unfinished = first + bytes(HEAD_BYTES) + second[HEAD_BYTES:] + bytes(64)
    frames, scan = scanned(unfinished, sealed=False)
    assert (identities(frames), scan.end, scan.damaged) == ([(1, b"one")], len(first), 0)
    again = Scan(data=first + second + bytes(64), end=scan.end, sealed=False)
    assert identities(list(again)) == [(2, b"two")]


def test_a_living_writers_damaged_frame_is_skipped_only_when_a_valid_one_follows() -> None:
    hurt = b"\xff" * 8 + packed(b"one", 1)[8:]
    frames, scan = scanned(hurt + bytes(64), sealed=False)
    assert (frames, scan.end, scan.damaged) == ([], 0, 0)
    frames, scan = scanned(hurt + packed(b"two", 2) + bytes(64), sealed=False)
    assert (identities(frames), scan.damaged) == ([(2, b"two")], 1)


def test_the_payload_that_a_killed_writer_left_without_its_head_is_no_damage() -> None:
    torn = packed(b"one", 1) + bytes(HEAD_BYTES) + packed(b"two", 2)[HEAD_BYTES:] + bytes(64)
    frames, scan = scanned(torn)
    assert (identities(frames), scan.damaged) == ([(1, b"one")], 0)


@LAW
@given(RECORDS, st.integers(1, 80))
def test_a_growing_file_that_was_cut_within_its_last_frame_is_no_damage(
    records: list[bytes], cut: int
) -> None:
    data = written(records)
    last = frame_bytes(len(records[-1]) + SEQ.size)
    padding = last - HEAD_BYTES - SEQ.size - len(records[-1])
    frames, scan = scanned(data[: -min(cut, last)], grown=True)
    assert (len(frames), scan.damaged) == (len(records) - (cut > padding), 0)


def test_what_lies_beyond_the_end_that_the_writer_noted_was_never_a_frame() -> None:
    data = packed(b"one", 1)
    rest = b"left over from an interrupted put"
    assert scanned(data + rest, written_end=len(data))[1].damaged == 0
    assert scanned(data + rest, written_end=len(data) + 8)[1].damaged == 1
    assert scanned(data + rest)[1].damaged == 1
