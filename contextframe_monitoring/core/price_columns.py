"""What a model call is counted in: columns that do not overlap, and the rates that price each.

Price keys follow genai-prices (`input_mtok` = USD per million input tokens, `web_searches_kcount` =
USD per thousand searches), so that a price list reads the same in our files and in the base
catalogue. A column is priced by the first of its keys that a price holds: cache reads without a
rate of their own cost what input costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MTOK: Final = 1_000_000
KCOUNT: Final = 1_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Column:
    """One countable thing; `part_of` is the column that already holds its count.

    `per` is the quantity that a rate is listed for.
    """

    name: str
    keys: tuple[str, ...]
    per: int = MTOK
    part_of: str | None = None

    @property
    def is_tokens(self) -> bool:
        """Tell tokens from searches, seconds, pages and requests."""
        return self.name.endswith("_tokens")

    @property
    def is_output(self) -> bool:
        """Tell what a model wrote from what it read."""
        return self.keys[-1] == "output_mtok"


MAIN: Final = (
    Column("input_tokens", ("input_mtok",)),
    Column("cache_read_tokens", ("cache_read_mtok", "input_mtok")),
    Column("cache_write_5m_tokens", ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok")),
    Column("cache_write_1h_tokens", ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok")),
    Column("output_tokens", ("output_mtok",)),
    Column("web_searches", ("web_searches_kcount",), KCOUNT),
    Column("requests", ("requests_kcount",), KCOUNT),
)
"""Columns that every usage has."""

PARTS: Final = (
    Column("reasoning_tokens", ("output_reasoning_mtok", "output_mtok"), part_of="output_tokens"),
    Column("input_audio_tokens", ("input_audio_mtok", "input_mtok"), part_of="input_tokens"),
    Column("input_image_tokens", ("input_image_mtok", "input_mtok"), part_of="input_tokens"),
    Column(
        "cache_read_audio_tokens",
        ("cache_audio_read_mtok", "cache_read_mtok", "input_audio_mtok", "input_mtok"),
        part_of="cache_read_tokens",
    ),
    Column(
        "cache_read_image_tokens",
        ("cache_image_read_mtok", "cache_read_mtok", "input_image_mtok", "input_mtok"),
        part_of="cache_read_tokens",
    ),
    Column("output_audio_tokens", ("output_audio_mtok", "output_mtok"), part_of="output_tokens"),
    Column("output_image_tokens", ("output_image_mtok", "output_mtok"), part_of="output_tokens"),
)
"""Columns that are a part of a main one, named by a field of their own."""

RARE: Final = (
    Column("input_video_tokens", ("input_video_mtok", "input_mtok"), part_of="input_tokens"),
    Column("output_video_tokens", ("output_video_mtok", "output_mtok"), part_of="output_tokens"),
    Column("citation_tokens", ("output_citation_mtok", "output_mtok"), part_of="output_tokens"),
    Column("storage_searches", ("storage_searches_kcount",), KCOUNT),
    Column("social_searches", ("social_searches_kcount",), KCOUNT),
    Column("rerank_searches", ("rerank_searches_kcount",), KCOUNT),
    Column("code_executions", ("code_executions_kcount",), KCOUNT),
    Column("audio_ms", ("audio_hours",), HOUR_MS),
    Column("input_audio_ms", ("input_audio_hours", "audio_hours"), HOUR_MS),
    Column("output_audio_ms", ("output_audio_hours", "audio_hours"), HOUR_MS),
    Column("input_characters", ("input_mchars",), MTOK),
    Column("input_text_messages", ("input_text_messages_kcount",), KCOUNT),
    Column("input_pixels", ("input_gpixels",), 1_000_000_000),
    Column("input_document_pages", ("input_document_kpages",), KCOUNT),
    Column(
        "input_annotated_document_pages",
        ("input_annotated_document_kpages", "input_document_kpages"),
        KCOUNT,
    ),
)
"""Columns that few calls have, carried as (name, count) pairs. Durations are milliseconds."""

COLUMNS: Final = MAIN + PARTS + RARE
COLUMN: Final = {column.name: column for column in COLUMNS}
PRICE_KEYS: Final = frozenset(key for column in COLUMNS for key in column.keys)
TOKEN_KEYS: Final = frozenset(key for column in COLUMNS if column.is_tokens for key in column.keys)
