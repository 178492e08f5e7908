"""Headers and the two back ends: what is written is what is read, damage is seen as damage."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.store.spool.frames import SEQ, frame_at
from contextframe_monitoring.store.spool.segment import (
    END_AT,
    FORMAT_VERSION,
    GAUGES,
    HEADER_BYTES,
    LAST_SEQ_AT,
    LOSS_REASONS,
    Header,
    MappedSegment,
    Segment,
    WrittenSegment,
    gauge_at,
    loss_at,
    read_header,
)

LAW = settings(derandomize=True, deadline=None, max_examples=200)
BACKENDS = pytest.mark.parametrize("backend", [MappedSegment, WrittenSegment])
HEADER = Header(
    version=FORMAT_VERSION,
    pid=4711,
    boot_id=bytes(range(16)),
    writer="00112233445566778899",
    number=3,
    created_us=1_795_000_000_000_000,
    first_seq=41,
    label="time server",
    size=1 << 16,
    last_seq=40,
    gauges=(1, 2, 3),
    losses=tuple(range(8)),
)
COUNTERS = st.integers(0, 1 << 48)


def header_of(path: Path) -> Header | None:
    return read_header(path.read_bytes()[:HEADER_BYTES])


@pytest.mark.requirement("spine:spool:header")
@LAW
@given(
    st.builds(
        Header,
        version=st.just(FORMAT_VERSION),
        pid=st.integers(0, 2**32 - 1),
        boot_id=st.binary(min_size=16, max_size=16),
        writer=st.binary(min_size=10, max_size=10).map(bytes.hex),
        number=st.integers(0, 2**63),
        created_us=st.integers(0, 2**63),
        first_seq=st.integers(0, 2**63),
        label=st.text("abc åß√", max_size=30),
        size=st.integers(0, 2**32 - 1),
        last_seq=COUNTERS,
        end=COUNTERS,
        gauges=st.tuples(*[COUNTERS] * len(GAUGES)),
        losses=st.tuples(*[COUNTERS] * len(LOSS_REASONS)),
    )
)
def test_a_header_is_read_as_it_was_packed(header: Header) -> None:
    assert read_header(header.pack()) == header


@pytest.mark.parametrize("label", ["x" * 500, "nul\0inside", "lone \ud800 surrogate", "ß" * 100])
def test_a_strange_label_costs_only_the_label(label: str) -> None:
    found = read_header(
        Header(
            version=1, pid=1, boot_id=bytes(16), writer="00" * 10, number=1, created_us=1,
            first_seq=1, label=label,
        ).pack()
    )  # fmt: skip
    assert found is not None
    assert len(found.label.encode()) <= 128


@LAW
@given(st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
def test_a_flipped_byte_of_a_header_is_seen_or_moves_one_counter(at: int, flip: int) -> None:
    block = bytearray(HEADER.pack())
    block[at] ^= flip
    found = read_header(bytes(block))
    if found is not None and found != HEADER:
        changed = [
            name
            for name in Header.__dataclass_fields__
            if getattr(found, name) != getattr(HEADER, name)
        ]
        assert changed in (["last_seq"], ["end"], ["gauges"], ["losses"])


@LAW
@given(st.binary(max_size=HEADER_BYTES * 2))
def test_noise_is_no_header(noise: bytes) -> None:
    assert read_header(noise) is None


def test_a_truncated_header_is_none() -> None:
    assert read_header(HEADER.pack()[:-1]) is None


@pytest.mark.parametrize("at", [LAST_SEQ_AT, END_AT, gauge_at(0), loss_at(7)])
def test_a_counter_that_nobody_can_have_counted_is_damage(at: int) -> None:
    block = bytearray(HEADER.pack())
    struct.pack_into("<Q", block, at, 2**64 - 1)
    assert read_header(bytes(block)) is None


@BACKENDS
def test_a_segment_holds_what_was_appended_and_set(
    backend: type[MappedSegment | WrittenSegment], tmp_path: Path
) -> None:
    path = tmp_path / "1.seg"
    segment: Segment = backend(path, 1 << 16, HEADER)
    payload = SEQ.pack(41) + b"record"
    crc = zlib.crc32(payload)
    assert not segment.holds(HEADER_BYTES, crc, payload)
    segment.append(HEADER_BYTES, crc, payload)
    assert segment.holds(HEADER_BYTES, crc, payload)
    assert not segment.holds(HEADER_BYTES, crc, payload + b"\1")
    segment.set(LAST_SEQ_AT, 41)
    segment.set(loss_at(1), 5)
    data = path.read_bytes()  # before close: another process sees it at once
    segment.close()
    frame = frame_at(data, HEADER_BYTES)
    assert frame is not None
    assert (frame.seq, frame.record) == (41, b"record")
    header = header_of(path)
    assert header is not None
    assert (header.last_seq, header.losses) == (41, (0, 5, *range(2, 8)))


def test_a_mapped_segment_has_all_its_blocks_before_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "1.seg"
    MappedSegment(path, 1 << 16, HEADER).close()
    stat = path.stat()
    assert (stat.st_size, stat.st_mode & 0o777) == (1 << 16, 0o600)
    assert stat.st_blocks * 512 >= 1 << 16


def test_a_written_segment_grows_as_frames_come(tmp_path: Path) -> None:
    path = tmp_path / "1.seg"
    segment = WrittenSegment(path, 1 << 16, HEADER)
    segment.append(HEADER_BYTES, 0, b"12345678")
    segment.close()
    assert path.stat().st_size == HEADER_BYTES + 16


@BACKENDS
def test_a_segment_never_takes_a_file_that_is_there(
    backend: type[MappedSegment | WrittenSegment], tmp_path: Path
) -> None:
    path = tmp_path / "1.seg"
    path.write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        backend(path, 1 << 16, HEADER)
    assert path.read_bytes() == b"another's"
    assert os.listdir(tmp_path) == ["1.seg"]
