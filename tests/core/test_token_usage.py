"""A usage that exists is valid; totals with cache become columns that do not overlap."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.core.token_usage import COUNT_MAX, Usage, usage_from_totals

counts = st.integers(0, COUNT_MAX // 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_tokens": -1}, "input_tokens = -1 is not allowed: a whole number from 0 to"),
        ({"output_tokens": True}, "output_tokens = True is not allowed: a whole number from 0 to"),
        ({"output_tokens": 1.0}, "output_tokens = 1.0 is not allowed: a whole number from 0 to"),
        ({"requests": COUNT_MAX + 1}, "requests = 1000000000001 is not allowed: a whole number"),
        ({"batch": 1}, "batch = 1 is not allowed: true or false"),
        (
            {"output_tokens": 5, "reasoning_tokens": 3, "output_audio_tokens": 3},
            "output_audio_tokens = 3 is not allowed: with its siblings at most output_tokens = 5",
        ),
        (
            {"input_tokens": 5, "more": (("input_video_tokens", 6),)},
            "input_video_tokens = 6 is not allowed: with its siblings at most input_tokens = 5",
        ),
        (
            {"more": (("pages", 1),)},
            "more = 'pages' is not allowed: one of audio_ms, citation_tokens",
        ),
        ({"more": (("audio_ms", -1),)}, "audio_ms = -1 is not allowed: a whole number"),
        (
            {"more": (("audio_ms", 1), ("audio_ms", 2))},
            "more = (('audio_ms', 1), ('audio_ms', 2)) is not allowed: each column once",
        ),
        ({"service_tier": "x" * 300}, "service_tier = 'xxx"),
        (
            {"context": (("", "x"),)},
            "context key = '' is not allowed: a text of 1 to 256 characters",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Usage(**fields)
    assert str(caught.value).startswith(message)


def test_circumstances_are_bounded() -> None:
    with pytest.raises(LimitedError, match=r"^context = 9 is above its limit of 8"):
        Usage(context=tuple((str(n), "x") for n in range(9)))


def test_the_mode_is_what_changes_the_bill() -> None:
    found = {
        "nothing": Usage().mode,
        "standard": Usage(service_tier="standard", speed="standard").mode,
        "default": Usage(service_tier="DEFAULT", context=(("inference_geo", ""),)).mode,
        "batch": Usage(batch=True, service_tier="standard").mode,
        "batch tier": Usage(service_tier="batch").mode,
        "all": Usage(service_tier="Flex", speed="fast", context=(("inference_geo", "US"),)).mode,
    }
    assert found == {
        "nothing": (),
        "standard": (),
        "default": (),
        "batch": (("processing", "batch"),),
        "batch tier": (("processing", "batch"),),
        "all": (("inference_geo", "us"), ("service_tier", "flex"), ("speed", "fast")),
    }


def test_totals_become_columns() -> None:
    usage = usage_from_totals(
        input_tokens=100,
        cache_read_tokens=30,
        cache_write_tokens=20,
        cache_write_1h_tokens=5,
        input_audio_tokens=12,
        cache_read_audio_tokens=4,
        output_tokens=7,
    )
    assert usage == Usage(
        input_tokens=50,
        cache_read_tokens=30,
        cache_write_5m_tokens=15,
        cache_write_1h_tokens=5,
        input_audio_tokens=8,
        cache_read_audio_tokens=4,
        output_tokens=7,
    )
    assert usage.context_tokens == 100
    assert usage.uncached() == Usage(input_tokens=100, input_audio_tokens=12, output_tokens=7)


def test_without_an_input_total_the_cache_is_the_input() -> None:
    usage = usage_from_totals(
        cache_read_tokens=30, cache_write_5m_tokens=10, cache_write_1h_tokens=20
    )
    assert usage == Usage(cache_read_tokens=30, cache_write_5m_tokens=10, cache_write_1h_tokens=20)


@settings(deadline=None)
@given(counts, counts, counts, counts)
def test_columns_add_up_to_the_total(fresh: int, read: int, short: int, long: int) -> None:
    usage = usage_from_totals(
        input_tokens=fresh + read + short + long,
        cache_read_tokens=read,
        cache_write_tokens=short + long,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
    )
    assert usage == Usage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
    )
    assert usage.context_tokens == fresh + read + short + long


@pytest.mark.requirement("cost:bad:counts")
@pytest.mark.parametrize(
    ("totals", "message"),
    [
        (
            {"input_tokens": 5, "cache_read_tokens": 6},
            "cache_read_tokens = 6 is not allowed: at most input_tokens = 5, which includes them",
        ),
        (
            {"input_tokens": 5, "cache_read_tokens": 3, "cache_write_1h_tokens": 3},
            (
                "cache_read_tokens + cache_write_tokens = 6 is not allowed: at most"
                " input_tokens = 5,"
                " which includes them"
            ),
        ),
        (
            {"cache_write_tokens": 5, "cache_write_1h_tokens": 6},
            "cache_write_tokens = 5 is not allowed: at least its parts, 6",
        ),
        (
            {"input_tokens": 9, "cache_read_tokens": 9, "cache_read_image_tokens": 2},
            (
                "cache_read_image_tokens = 2 is not allowed: at most input_image_tokens = 0,"
                " which includes them"
            ),
        ),
        (
            {"input_tokens": None, "cache_write_tokens": False},
            "cache_write_tokens = False is not allowed: a whole number from 0 to 1000000000000",
        ),
    ],
)
def test_a_cache_larger_than_its_input_is_refused(totals: dict, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        usage_from_totals(**totals)
    assert str(caught.value) == message
