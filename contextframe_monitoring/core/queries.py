"""What a report is asked: a window, how to group, what to leave out, how much to return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.core.windows import Window

KEYS_MAX = 4
FILTERS_MAX = 8
LIMIT_MAX = 1_000
OFFSET_MAX = 1_000_000
NAME_CHARS_MAX = 300
EXACT_ROWS_MAX = 1_000_000
"""Up to this many values percentiles come from the values themselves, above from a histogram."""
EXACT_ROWS_LIMIT = 20_000_000
"""The most that can be asked for: 320 MB of values."""

NONE_LABEL = "(none)"
"""The category of rows that have no such thing; as a filter's value: the rows without."""
OTHER_LABEL = "(other)"
"""The category of everything beyond the bound on the number of distinct labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """One question to a report. Raises `InvalidError` when a value is not allowed.

    `group_by` holds keys in the order in which they make up a category; `where` maps keys to the
    value that rows must have. The breakdown is a page of `limit` rows from `offset` on. With
    `detail` False only the totals and the breakdown are computed. `include_own` counts the rows of
    our own server too. `exact` asks for raw rows and no histograms, as far as raw rows reach.
    """

    window: Window
    group_by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    limit: int = 20
    offset: int = 0
    include_own: bool = False
    detail: bool = True
    exact_rows_max: int = EXACT_ROWS_MAX
    exact: bool = False

    def __post_init__(self) -> None:
        """Check numbers and sizes; whether a key exists is for the report to say."""
        _check_number("limit", self.limit, 1, LIMIT_MAX)
        _check_number("offset", self.offset, 0, OFFSET_MAX)
        _check_number("exact_rows_max", self.exact_rows_max, 0, EXACT_ROWS_LIMIT)
        if len(self.group_by) > KEYS_MAX or len(set(self.group_by)) < len(self.group_by):
            raise InvalidError(
                "group_by", ",".join(self.group_by), f"expected at most {KEYS_MAX} different keys"
            )
        if len(self.where) > FILTERS_MAX:
            raise InvalidError("where", len(self.where), f"expected at most {FILTERS_MAX} filters")
        for key in self.group_by:
            _check_text("group_by", key)
        for key, value in self.where.items():
            _check_text("where", key)
            _check_text("where", value)

    @property
    def shows_own(self) -> bool:
        """Whether rows of our own server count: asked for, or filtered for by name."""
        return self.include_own or self.where.get("server") == OWN_SERVER

    def over(self, window: Window) -> ReportQuery:
        """Return the same question about another window."""
        return replace(self, window=window)

    def ungrouped(self) -> ReportQuery:
        """Return the same question for the totals alone."""
        return replace(self, group_by=(), detail=False)


def group_keys(text: str | None) -> tuple[str, ...]:
    """Return the keys of a comma-separated list; empty, `none` and None mean no grouping."""
    if text is None or text.strip() in {"", "none"}:
        return ()
    if len(text) > KEYS_MAX * NAME_CHARS_MAX:
        raise InvalidError("group_by", text, f"expected at most {KEYS_MAX} keys")
    return tuple(part.strip() for part in text.split(","))


def filters(pairs: Iterable[str]) -> dict[str, str]:
    """Return `key=value` texts as a dictionary. Raises `InvalidError`."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise InvalidError("where", pair, "expected key=value, for example status=error")
        found[key.strip()] = value
    return found


def _check_number(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidError(name, value, f"expected a whole number from {low} to {high}")


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= NAME_CHARS_MAX:
        raise InvalidError(name, text, f"expected a text of 1 to {NAME_CHARS_MAX} characters")
