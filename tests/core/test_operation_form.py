"""A form that is filled in is the record, encoded."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.operation_form import OperationForm
from contextframe_monitoring.core.records import OperationRecord, Origin, Record

_decode = msgspec.msgpack.Decoder(Record).decode
_texts = st.text(max_size=40).filter(lambda text: text.isprintable())
_maybe = st.none() | _texts
_figures = st.integers(0, 2**32 - 1)
_origins = st.builds(
    Origin,
    server=_maybe,
    agent_id=_maybe,
    agent_source=st.none() | st.sampled_from(("authenticated", "meta", "client", "application")),
    session_id=_maybe,
    user_id=_maybe,
    environment=_maybe,
    transport=_maybe,
    protocol_version=_maybe,
)
_calls = st.tuples(
    st.integers(1, 2**63),
    st.integers(0, 2**63 - 1),
    st.floats(0, allow_nan=False),
    _figures,
    _figures,
    _figures,
    _figures,
)


@given(_texts, _maybe, _origins, _texts, st.lists(_calls, min_size=1, max_size=4))
def test_a_form_filled_in_decodes_to_the_record_of_the_same_facts(
    method: str,
    target: str | None,
    origin: Origin,
    prefix: str,
    calls: list[tuple[int, int, float, int, int, int, int]],
) -> None:
    form = OperationForm(method, target, origin, prefix)
    for number, time_us, duration_ms, request, result, written, read in calls:
        expected = OperationRecord(
            time_us=time_us,
            operation_type=method,
            status="success",
            duration_ms=duration_ms,
            origin=origin,
            target=target,
            operation_id=f"{prefix}{number}",
            request_size=request,
            result_size=result,
            request_tokens=written,
            result_tokens=read,
            tokens_estimated=True,
        )
        encoded = form.filled(number, time_us, duration_ms, request, result, written, read)
        assert _decode(encoded) == expected


def test_the_ids_of_a_form_grow_and_shrink_with_their_number() -> None:
    form = OperationForm("tools/call", "add", Origin(), "w-o")
    ids = []
    for number in (9, 10, 100_000, 7):
        record = _decode(form.filled(number, 1, 1.0, 2, 3, 4, 5))
        assert isinstance(record, OperationRecord)
        ids.append(record.operation_id)
    assert ids == ["w-o9", "w-o10", "w-o100000", "w-o7"]


@pytest.mark.parametrize("size", [-1, 2**32])
def test_a_size_that_a_form_has_no_room_for_is_refused(size: int) -> None:
    form = OperationForm("tools/call", "add", Origin(), "w-o")
    with pytest.raises(struct.error):
        form.filled(1, 1, 1.0, size, 3, 4, 5)
