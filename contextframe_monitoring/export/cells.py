"""Columns as text, a whole column at a time: the cells of CSV and JSON.

Times are ISO 8601 with offset and all six places, decimals have no exponent and no trailing zeros,
bytes are base64, lists are JSON. Numbers are written with the fewest digits that read back as the
same number.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

MONEY = pa.decimal128(28, 9)
"""Dollars with the nine places of a nano-dollar."""
_EXACT_USD, _NANO_USD = "amount_usd", "amount_nano_usd"
_IN_JSON = r'["\\\x00-\x1f]'
_IN_CSV = r'[",\r\n]|^\s|\s$|^$'


def with_exact_money(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with `amount_usd` as a decimal made from `amount_nano_usd`."""
    names = batch.schema.names
    if _EXACT_USD not in names or _NANO_USD not in names:
        return batch
    at = names.index(_EXACT_USD)
    nano = batch.column(names.index(_NANO_USD)).cast(pa.decimal128(19, 0))
    return batch.set_column(at, pa.field(_EXACT_USD, MONEY), _scaled(nano, MONEY))


def json_cells(array: pa.Array) -> pa.Array:
    """Return the JSON text of every value, `null` for nulls and for what is not a number."""
    return pc.fill_null(_json(array), "null")


def csv_cells(array: pa.Array) -> pa.Array:
    """Return the CSV text of every value: nothing for nulls, `""` for the empty string."""
    return pc.fill_null(_csv(array), "")


def lines(
    columns: Sequence[tuple[str, pa.Array]], cells: Callable[[pa.Array], pa.Array], end: str
) -> memoryview:
    """Return the bytes of all rows: for each column its prefix and its cell, then `end`.

    A column of one value joins the fixed text, and a label's prefix joins its dictionary: the cost
    is in the number of pieces per row.
    """
    pieces: list[pa.Array | str] = []
    fixed = ""
    for prefix, array in columns:
        fixed += prefix
        if _is_constant(array):
            fixed += cells(array.slice(0, 1))[0].as_py()
        elif pa.types.is_dictionary(array.type):
            words = pa.concat_arrays([array.dictionary, pa.nulls(1, array.dictionary.type)])
            texts = pc.binary_join_element_wise(fixed, cells(words), "")
            pieces.append(texts.take(pc.fill_null(array.indices, len(words) - 1)))
            fixed = ""
        else:
            pieces += [fixed, cells(array)]
            fixed = ""
    pieces.append(fixed + end)
    return _joined(pieces, len(columns[0][1]))


def _is_constant(array: pa.Array) -> bool:
    if array.null_count:
        return bool(array.null_count == len(array))
    return bool(pa.types.is_dictionary(array.type)) and len(array.dictionary) == 1


def _joined(pieces: Sequence[pa.Array | str], rows: int) -> memoryview:
    if len(pieces) == 1:
        return memoryview(pieces[0].encode() * rows)
    joined = pc.binary_join_element_wise(*pieces, "")
    _, ends, data = joined.buffers()
    size = memoryview(ends).cast("i")[joined.offset + len(joined)]
    return memoryview(data)[:size] if size else memoryview(b"")


def _json(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _json(array.dictionary).take(array.indices)
    if pa.types.is_string(kind):
        return _json_strings(array)
    if pa.types.is_list(kind):
        return _json_lists(array)
    if pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        return pc.binary_join_element_wise('"', _plain(array), '"', "")
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(array), _plain(array), None)
    return _plain(array)


def _json_strings(array: pa.Array) -> pa.Array:
    quoted = pc.binary_join_element_wise('"', array, '"', "")
    strange = pc.fill_null(pc.match_substring_regex(array, _IN_JSON), fill_value=False)
    if not pc.any(strange).as_py():
        return quoted
    encode = msgspec.json.encode
    escaped = [encode(text).decode() for text in array.filter(strange).to_pylist()]
    return pc.replace_with_mask(quoted, strange, pa.array(escaped, pa.string()))


def _json_lists(array: pa.Array) -> pa.Array:
    values = pc.fill_null(_json(array.flatten()), "null")
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)
    texts = pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
    return pc.if_else(array.is_valid(), texts, None)


def _csv(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _csv(array.dictionary).take(array.indices)
    if pa.types.is_list(kind):
        return _csv_strings(_json_lists(array))
    if pa.types.is_string(kind):
        return _csv_strings(array)
    if pa.types.is_binary(kind):
        return _csv_strings(_plain(array))
    return _plain(array)


def _csv_strings(array: pa.Array) -> pa.Array:
    strange = pc.fill_null(pc.match_substring_regex(array, _IN_CSV), fill_value=False)
    if not pc.any(strange).as_py():
        return array
    doubled = pc.replace_substring(array, '"', '""')
    return pc.if_else(strange, pc.binary_join_element_wise('"', doubled, '"', ""), array)


def _plain(array: pa.Array) -> pa.Array:
    """Return the values as they are written without quotes; nulls stay null."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return _iso(array)
    if pa.types.is_decimal(kind):
        return _decimals(array)
    if pa.types.is_binary(kind):
        texts = [None if v is None else base64.b64encode(v).decode() for v in array.to_pylist()]
        return pa.array(texts, pa.string())
    return array.cast(pa.string())


def _iso(times: pa.Array) -> pa.Array:
    local = times.cast(pa.timestamp("us")).cast(pa.string())  # UTC: "2026-01-02 03:04:05.000006"
    joint = pc.replace_substring(local, " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(joint, "+00:00" if times.type.tz else "", "")


def _decimals(array: pa.Array) -> pa.Array:
    scale = array.type.scale
    if scale <= 0:
        return array.cast(pa.decimal128(38, 0)).cast(pa.string())
    digits = _scaled(array, pa.decimal128(38, 0)).cast(pa.string())
    size = pc.ascii_lpad(pc.utf8_ltrim(digits, "-"), width=scale + 1, padding="0")
    places = pc.utf8_rtrim(pc.utf8_slice_codeunits(size, start=-scale), "0")
    return pc.binary_join_element_wise(
        pc.if_else(pc.starts_with(digits, "-"), "-", ""),
        pc.utf8_slice_codeunits(size, start=0, stop=-scale),
        pc.if_else(pc.equal(places, ""), "", "."),
        places,
        "",
    )


def _scaled(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return the same integers under another scale: 12 nano-dollars are 0.000000012 dollars."""
    return pa.Array.from_buffers(kind, len(array), array.buffers(), offset=array.offset)
