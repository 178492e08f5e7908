"""What a price depends on beside the token columns: kept with a cost fact, so that it can be priced
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contextframe_monitoring.core.token_usage import Usage

TOKEN_COLUMNS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""The columns of a cost fact that hold what a model call used."""


class PricedBy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The fields of `Usage` that are no column of a cost fact; the usual call has none of them."""

    web_searches: int = 0
    requests: int = 1
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_audio_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    batch: bool = False
    service_tier: str | None = None
    speed: str | None = None
    more: tuple[tuple[str, int], ...] = ()
    context: tuple[tuple[str, str], ...] = ()
    quantity: float | None = None
    """Exact units of a service that are no whole number (seconds of compute)."""


class _Details(msgspec.Struct, frozen=True):
    priced_by: PricedBy = PricedBy()


_DETAILS = msgspec.json.Decoder(_Details)
_USUAL = PricedBy()


def with_priced_by(metadata: str | None, usage: Usage) -> str | None:
    """Put what is unusual about a call in front of the JSON object of its fact."""
    found = {name: getattr(usage, name) for name in PricedBy.__struct_fields__[:-1]}
    return with_details(metadata, PricedBy(**found))


def with_details(metadata: str | None, found: PricedBy) -> str | None:
    """Put what a price depends on in front of a JSON object, where it is not the usual."""
    if found == _USUAL:
        return metadata
    rest = (metadata or "{}")[1:]
    text = msgspec.json.encode(_Details(priced_by=found)).decode()
    return f"{text[:-1]}{'' if rest == '}' else ','}{rest}"


def usage_of_fact(columns: Mapping[str, Any], metadata: str | None) -> Usage:
    """Return what a stored fact says was used.

    Raises `ValueError` (msgspec's `DecodeError`) when its metadata was cut, `InvalidError` when its
    counts can't be.
    """
    given = msgspec.structs.asdict(priced_by(metadata))
    del given["quantity"]
    counts: dict[str, Any] = {name: columns[name] or 0 for name in TOKEN_COLUMNS}
    return Usage(**counts, **given)


def priced_by(metadata: str | None) -> PricedBy:
    """Return what the metadata of a fact says. Raises `ValueError` when it was cut."""
    return _DETAILS.decode(metadata).priced_by if metadata else _USUAL
