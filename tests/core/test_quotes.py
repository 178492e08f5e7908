"""A line of `prices quote` becomes a call, whatever reasonable spelling it uses."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from contextframe_monitoring.core.errors import InvalidError, MonitoringError, UnknownKeyError
from contextframe_monitoring.core.prices import Rate
from contextframe_monitoring.core.quotes import read_quote, read_usage
from contextframe_monitoring.core.token_usage import Usage

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_full_line_is_understood() -> None:
    quote = read_quote(
        {
            "id": "p1",
            "provider": "anthropic",
            "model": "claude",
            "at": "2026-03-01T02:00:00+02:00",
            "batch": True,
            "context": {"inference_geo": "us"},
            "rates_per_token": {"input": "0.5", "cache_write_1h": "2 (=4x input)"},
            "usage": {
                "input_tokens": 100,
                "cache_read_tokens": 10,
                "cache_write_tokens": 20,
                "output_tokens": 9,
                "output_reasoning_tokens": 4,
                "input_text_tokens": 100,
                "web_searches": None,
                "audio_seconds": 1.0005,
                "search_context_size": "low",
            },
        },
        NOW,
    )
    assert (quote.provider, quote.model, quote.at) == (
        "anthropic",
        "claude",
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert quote.rates == {
        "input_mtok": Rate(Decimal(500_000)),
        "cache_write_1h_mtok": Rate(Decimal(2_000_000)),
    }
    assert quote.usage == Usage(
        input_tokens=70,
        cache_read_tokens=10,
        cache_write_5m_tokens=20,
        output_tokens=9,
        reasoning_tokens=4,
        batch=True,
        more=(("audio_ms", 1_000),),
        context=(("inference_geo", "us"), ("search_context_size", "low")),
    )


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        (None, NOW),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (datetime(2026, 3, 1, 10), datetime(2026, 3, 1, 10, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 3, 1).date(), datetime(2026, 3, 1, tzinfo=UTC)),  # noqa: DTZ001
        (
            datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 3, 1, 9, tzinfo=UTC),
        ),
    ],
)
def test_the_time_of_the_event_is_utc_unless_it_says_otherwise(
    at: object, moment: datetime
) -> None:
    assert read_quote({"model": "m", "at": at, "usage": {}}, NOW).at == moment


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "quote = [] is not allowed: an object with provider, model, at and usage"),
        ({"modle": "m", "usage": {}}, "unknown key 'modle' in a quote: did you mean 'model'?"),
        ({"usage": {}}, "model = None is not allowed: a text of 1 to 256 characters"),
        (
            {"model": "m", "provider": 7, "usage": {}},
            "provider = 7 is not allowed: a text of 1 to 256 characters",
        ),
        (
            {"model": "m"},
            "usage = None is not allowed: an object with input_tokens, output_tokens ...",
        ),
        (
            {"model": "m", "usage": {"input_token": 1}},
            "unknown key 'input_token' in usage: did you mean 'input_tokens'?",
        ),
        (
            {"model": "m", "usage": {}, "at": "yesterday"},
            "at = 'yesterday' is not allowed: a time in ISO 8601, as in 2026-11-20T12:00:00Z",
        ),
        (
            {"model": "m", "usage": {}, "at": 7},
            "at = 7 is not allowed: a time in ISO 8601, as in 2026-11-20T12:00:00Z",
        ),
        (
            {"model": "m", "usage": {}, "batch": "yes"},
            "batch = 'yes' is not allowed: true or false",
        ),
        (
            {"model": "m", "usage": {}, "context": 7},
            'context = 7 is not allowed: an object of texts, as in {"search_type": "fast"}',
        ),
        (
            {"model": "m", "usage": {}, "rates_per_token": {"inptu": 1}},
            "unknown key 'inptu' in rates_per_token: did you mean 'input'?",
        ),
        (
            {"model": "m", "usage": {}, "rates_per_token": {"input": "2.0 =2x"}},
            "rates_per_token.input = '2.0 =2x' is not allowed: a price in USD from 0 to 1000000",
        ),
    ],
)
def test_a_wrong_line_is_refused_by_name(line: object, message: str) -> None:
    with pytest.raises(MonitoringError) as caught:
        read_quote(line, NOW)
    assert isinstance(caught.value, (InvalidError, UnknownKeyError))
    assert str(caught.value) == message


def test_durations_and_pages_become_disjoint() -> None:
    usage = read_usage(
        {
            "audio_seconds": 10,
            "input_audio_seconds": 4,
            "input_document_pages": 7,
            "input_annotated_document_pages": 2,
        }
    )
    assert dict(usage.more) == {
        "audio_ms": 6_000,
        "input_audio_ms": 4_000,
        "input_document_pages": 5,
        "input_annotated_document_pages": 2,
    }
