"""The cursor of a report: "more rows of that answer", as one opaque text.

It carries the whole question (kind of report, absolute window, keys, filters, page), so that an
agent can send it alone. It holds no secret and grants nothing: whoever may ask for the report may
write one. A checksum tells a damaged one from a wrong one.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import replace

import msgspec

from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Period, Window

CURSOR_CHARS_MAX = 4_096
_VERSION = 1
_CHECKSUM_BYTES = 4


class _Page(msgspec.Struct, frozen=True, array_like=True):
    version: int
    kind: str
    start_us: int
    end_us: int
    timezone: str
    period: Period | None
    period_end_us: int
    group_by: tuple[str, ...]
    where: dict[str, str]
    limit: int
    offset: int
    include_own: bool
    detail: bool
    exact_rows_max: int
    exact: bool = False


def next_cursor(kind: str, query: ReportQuery, shown: int, more: int) -> str | None:
    """Return the cursor for the rows after the `shown` ones; None when there are no more.

    Raises `InvalidError` when the question is too large for a cursor.
    """
    if more <= 0:
        return None
    return encode_cursor(kind, replace(query, offset=query.offset + shown))


def encode_cursor(kind: str, query: ReportQuery) -> str:
    """Return the question as text, at most `CURSOR_CHARS_MAX` characters of base64url."""
    window = query.window
    page = _Page(
        _VERSION,
        kind,
        window.start_us,
        window.end_us,
        window.timezone,
        window.period,
        window.period_end_us,
        query.group_by,
        dict(query.where),
        query.limit,
        query.offset,
        query.include_own,
        query.detail,
        query.exact_rows_max,
        query.exact,
    )
    body = msgspec.msgpack.encode(page)
    data = zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    if len(text) > CURSOR_CHARS_MAX:
        raise InvalidError("where", f"{len(body)} bytes", "the filters are too long for a cursor")
    return text


def decode_cursor(text: str, kind: str) -> ReportQuery:
    """Return the question that a cursor of the report `kind` stands for. Raises `InvalidError`."""
    page = _page(text)
    if page.kind != kind:
        raise InvalidError("cursor", text, f"it continues a {page.kind} report, not a {kind} one")
    try:
        return ReportQuery(
            window=Window(
                page.start_us, page.end_us, page.timezone, page.period, page.period_end_us
            ),
            group_by=page.group_by,
            where=page.where,
            limit=page.limit,
            offset=page.offset,
            include_own=page.include_own,
            detail=page.detail,
            exact_rows_max=page.exact_rows_max,
            exact=page.exact,
        )
    except MonitoringError as error:
        raise InvalidError("cursor", text, f"it holds a question that can't be: {error}") from None


def _page(text: str) -> _Page:
    allowed = "expected the cursor of an earlier answer, unchanged; ask again without one"
    if not 0 < len(text) <= CURSOR_CHARS_MAX or not text.isascii():
        raise InvalidError("cursor", text, allowed)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        body = data[_CHECKSUM_BYTES:]
        if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") != data[:_CHECKSUM_BYTES]:
            raise InvalidError("cursor", text, allowed)
        page = msgspec.msgpack.decode(body, type=_Page)
    except (binascii.Error, msgspec.MsgspecError):
        raise InvalidError("cursor", text, allowed) from None
    if page.version != _VERSION:
        raise InvalidError("cursor", text, "it comes from another version; ask again without one")
    return page
