"""Totals as they are put away: JSON, every sum to the last bit."""

from __future__ import annotations

import zlib

import msgspec


class SavedSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One series of one instrument; which fields it has is the instrument's business."""

    labels: dict[str, str]
    total: str | None = None
    """An exact sum, as `Sum.exact` writes it."""
    negative: str | None = None
    """The same of what is negative."""
    counts: list[int] = msgspec.field(default_factory=list)
    fine: list[tuple[int, int]] = msgspec.field(default_factory=list)
    low: float | None = None
    high: float | None = None
    value: float = 0.0
    time_us: int = 0


Groups = dict[str, dict[str, list[SavedSeries]]]
"""Series by instrument by group."""
VERSION = 1
"""Of this form; what has another one is not read."""
_BYTES_MAX = 64 << 20
"""Of what is unpacked."""


class SavedTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All groups of a store's totals, and the last record of each writer that was counted before
    it was drained.
    """

    version: int = VERSION
    ahead: dict[str, int]
    groups: Groups


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SavedTotals)


def packed(totals: SavedTotals) -> bytes:
    """Return the bytes that stand for these totals."""
    return zlib.compress(_encoder.encode(totals), 1)


def unpacked(body: bytes) -> SavedTotals | None:
    """Return the totals that bytes stand for; None for what can't be read."""
    try:
        found = _decoder.decode(zlib.decompressobj().decompress(body, _BYTES_MAX))
    except (msgspec.MsgspecError, zlib.error):
        return None
    return found if found.version == VERSION else None
