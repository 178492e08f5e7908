"""Bills of providers: Anthropic's and OpenAI's usage and cost reports, as their admin APIs answer.

Both come in pages of buckets whose ends are exclusive, in UTC. Anthropic's `amount` is a decimal
string in CENTS, OpenAI's a number in dollars; Anthropic's input tokens exclude the cache, OpenAI's
include it. Bills come from outside: every value is checked, and nothing of another currency is
taken for dollars.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Literal

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.money import nano_usd
from contextframe_monitoring.core.token_usage import NAME_CHARS_MAX, check_counts

CURRENCY = "USD"
_CENTS_MAX = Decimal(10**11)
_EXACT = Context(prec=60)
_DAY = timedelta(days=1)
_DATE = re.compile(r"(?:-latest|[-@](?:20\d{6}|20\d\d-\d\d-\d\d))$")
_ALLOWED = "a page of Anthropic's usage or cost report, or of OpenAI's usage or costs"

Kind = Literal["cost", "usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What one model (None: not said) was billed for on one UTC day.

    `amount_nano_usd` is None in a usage report, `tokens` None in a cost report; token columns don't
    overlap, cache writes are one.
    """

    day: str
    model: str | None
    amount_nano_usd: int | None = None
    tokens: tuple[int, int, int, int] | None = None
    """Uncached input, cache reads, cache writes, output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPage:
    """One page. `start` and `end` are where its buckets begin and end; `has_more` says that another
    page follows.
    """

    provider: str
    kind: Kind
    start: datetime
    end: datetime
    has_more: bool
    buckets: tuple[tuple[datetime, tuple[BillLine, ...]], ...]


def plain_model(model: str | None) -> str | None:
    """Return a model's name without its date, in lower case: bills and programs name it either
    way.
    """
    return None if model is None else _DATE.sub("", model.strip().lower()) or None


def read_page(page: object, name: str) -> BillPage:
    """Read one page; `name` is the file's, for errors. Raises `InvalidError`."""
    table = _table(page, name)
    buckets = table.get("data")
    if not isinstance(buckets, list):
        raise InvalidError(name, sorted(map(str, table))[:8], f"expected {_ALLOWED}")
    found = [_Bucket.of(bucket, f"{name}: data[{index}]") for index, bucket in enumerate(buckets)]
    if not found:
        raise InvalidError(name, "no buckets", f"expected {_ALLOWED} with at least one bucket")
    provider, kind = _kind_of(found, name)
    read = _READERS[provider, kind]
    return BillPage(
        provider=provider,
        kind=kind,
        start=min(bucket.start for bucket in found),
        end=max(bucket.end for bucket in found),
        has_more=table.get("has_more") is True,
        buckets=tuple(
            (bucket.start, tuple(read(result, bucket) for result in bucket.results))
            for bucket in found
        ),
    )


@dataclass(frozen=True, slots=True)
class _Bucket:
    provider: str
    start: datetime
    end: datetime
    results: tuple[Mapping[str, Any], ...]
    name: str

    @classmethod
    def of(cls, bucket: object, name: str) -> _Bucket:
        table = _table(bucket, name)
        provider = "anthropic" if "starting_at" in table else "openai"
        keys = ("starting_at", "ending_at") if provider == "anthropic" else _OPENAI_TIMES
        start, end = (_moment(table.get(key), f"{name}.{key}") for key in keys)
        if (
            not start < end
            or end - start > _DAY
            or (end - timedelta(microseconds=1)).date() != (start.date())
        ):
            raise InvalidError(
                name, f"{start.isoformat()} to {end.isoformat()}", "expected a UTC day or a part"
            )
        results = table.get("results", table.get("result"))
        if not isinstance(results, list):
            raise InvalidError(f"{name}.results", results, "expected a list")
        return cls(provider, start, end, tuple(_table(one, name) for one in results), name)

    @property
    def day(self) -> str:
        return self.start.date().isoformat()


_OPENAI_TIMES = ("start_time", "end_time")


def _kind_of(buckets: list[_Bucket], name: str) -> tuple[str, Kind]:
    """Return whose page it is and what it counts, by the first result; without one, it is both."""
    providers = {bucket.provider for bucket in buckets}
    if len(providers) > 1:
        raise InvalidError(name, sorted(providers), "expected the buckets of one provider")
    [provider] = providers
    kinds: set[Kind] = {
        "cost" if "amount" in result else "usage" for bucket in buckets for result in bucket.results
    }
    if len(kinds) > 1:
        raise InvalidError(name, sorted(kinds), "expected either usage or costs")
    return provider, kinds.pop() if kinds else "cost"


def _anthropic_cost(result: Mapping[str, Any], bucket: _Bucket) -> BillLine:
    _check_currency(result.get("currency"), bucket)
    amount = result.get("amount")
    if not isinstance(amount, str) or len(amount) > 40:
        raise InvalidError(f"{bucket.name}.amount", amount, "expected a decimal string in cents")
    try:
        cents = Decimal(amount)
    except InvalidOperation:
        raise InvalidError(
            f"{bucket.name}.amount", amount, "expected a decimal string in cents"
        ) from None
    if not cents.is_finite() or cents.copy_abs() > _CENTS_MAX:
        raise InvalidError(f"{bucket.name}.amount", amount, "expected a finite number of cents")
    dollars = nano_usd(_EXACT.scaleb(cents, -2), f"{bucket.name}.amount")
    return BillLine(day=bucket.day, model=_model(result, bucket), amount_nano_usd=dollars)


def _anthropic_usage(result: Mapping[str, Any], bucket: _Bucket) -> BillLine:
    writes = _table(result.get("cache_creation") or {}, f"{bucket.name}.cache_creation")
    written = sum(_count(writes, f"ephemeral_{kind}_input_tokens", bucket) for kind in ("5m", "1h"))
    tokens = (
        _count(result, "uncached_input_tokens", bucket),
        _count(result, "cache_read_input_tokens", bucket),
        written,
        _count(result, "output_tokens", bucket),
    )
    return BillLine(day=bucket.day, model=_model(result, bucket), tokens=tokens)


def _openai_cost(result: Mapping[str, Any], bucket: _Bucket) -> BillLine:
    amount = _table(result.get("amount"), f"{bucket.name}.amount")
    _check_currency(amount.get("currency"), bucket)
    value = amount.get("value")
    if isinstance(value, str):
        raise InvalidError(f"{bucket.name}.amount.value", value, "expected a number of dollars")
    return BillLine(
        day=bucket.day,
        model=_line_item_model(result, bucket),
        amount_nano_usd=nano_usd(value, f"{bucket.name}.amount.value"),
    )


def _line_item_model(result: Mapping[str, Any], bucket: _Bucket) -> str | None:
    """Return the model of `gpt-4o-2024-08-06, input`: what stands before the comma."""
    item = _text(result, "line_item", bucket)
    return None if item is None else item.split(",")[0].strip() or None


def _openai_usage(result: Mapping[str, Any], bucket: _Bucket) -> BillLine:
    total = _count(result, "input_tokens", bucket)
    cached = _count(result, "input_cached_tokens", bucket)
    if cached > total:
        raise InvalidError(
            f"{bucket.name}.input_cached_tokens", cached, f"at most input_tokens = {total}"
        )
    tokens = (total - cached, cached, 0, _count(result, "output_tokens", bucket))
    return BillLine(day=bucket.day, model=_model(result, bucket), tokens=tokens)


_READERS: dict[tuple[str, Kind], Callable[[Mapping[str, Any], _Bucket], BillLine]] = {
    ("anthropic", "cost"): _anthropic_cost,
    ("anthropic", "usage"): _anthropic_usage,
    ("openai", "cost"): _openai_cost,
    ("openai", "usage"): _openai_usage,
}


def _check_currency(currency: object, bucket: _Bucket) -> None:
    if not isinstance(currency, str) or currency.upper() != CURRENCY:
        raise InvalidError(
            f"{bucket.name}.currency", currency, f"expected {CURRENCY}: nothing is converted"
        )


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidError(name, value, "expected an object")
    return value


def _count(table: Mapping[str, Any], key: str, bucket: _Bucket) -> int:
    value = table.get(key)
    check_counts({f"{bucket.name}.{key}": value})
    return value or 0


def _model(result: Mapping[str, Any], bucket: _Bucket) -> str | None:
    return _text(result, "model", bucket)


def _text(result: Mapping[str, Any], key: str, bucket: _Bucket) -> str | None:
    value = result.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > NAME_CHARS_MAX):
        raise InvalidError(f"{bucket.name}.{key}", value, f"a text of {NAME_CHARS_MAX} characters")
    return value


def _moment(value: object, name: str) -> datetime:
    """Return a time in UTC: ISO 8601 (Anthropic), seconds since the epoch (OpenAI)."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise InvalidError(name, value, "expected ISO 8601, or seconds since 1970")


def missing_pages(pages: Mapping[str, BillPage]) -> Iterator[str]:
    """Yield the names of the pages after which another should come and none does."""
    for name, page in pages.items():
        if page.has_more and not any(
            other.start >= page.end - _DAY and (other.end > page.end)
            for other in pages.values()
            if other is not page and (other.provider, other.kind) == (page.provider, page.kind)
        ):
            yield name


def without_repeats(pages: Mapping[str, BillPage]) -> dict[str, BillPage]:
    """Return the pages without the buckets that an earlier one holds with the same content."""
    seen: set[object] = set()
    kept: dict[str, BillPage] = {}
    for name, page in pages.items():
        buckets = []
        for bucket in page.buckets:
            identity = (page.provider, page.kind, bucket)
            if identity not in seen:
                seen.add(identity)
                buckets.append(bucket)
        kept[name] = replace(page, buckets=tuple(buckets))
    return kept
