"""What may be stored of free text."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core import privacy

any_text = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=600)

SECRETS = [
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijklmnop",
    "xoxb-123456789012-abcdefghijkl",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef",
    "Bearer abcdefghijklmnopqrstuvwx",
    "password=hunter2",
    "api_key: 12345abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.requirement("spine:privacy:masked")
@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_credential_is_masked(secret: str) -> None:
    text = privacy.masked_text(f"call failed with {secret} at once", 500)
    assert text == f"call failed with {privacy.MASK} at once"


def test_a_secret_across_the_bound_is_masked_before_the_text_is_cut() -> None:
    text = privacy.masked_text("x" * 50 + " sk-" + "a" * 40, 60)
    assert text == "x" * 50 + f" {privacy.MASK}"


def test_user_and_password_leave_a_url() -> None:
    text = privacy.masked_text("connect to postgres://admin:hunter2@db/x failed", 100)
    assert text == f"connect to postgres{privacy.MASK}db/x failed"


@pytest.mark.requirement("spine:privacy:bounded")
@given(any_text, st.integers(16, 200))
def test_any_text_becomes_valid_and_bounded(text: str, chars_max: int) -> None:
    kept = privacy.bounded_text(text, chars_max)
    assert len(kept) <= chars_max
    assert "\0" not in kept
    kept.encode("utf-8")


@given(any_text)
def test_any_name_becomes_printable_and_bounded(name: str) -> None:
    kept = privacy.bounded_name(name)
    assert kept.isprintable()
    assert len(kept) <= privacy.NAME_CHARS_MAX


def test_a_plain_name_stays_as_it_is() -> None:
    assert privacy.bounded_name("红楼梦 search/tool.v2") == "红楼梦 search/tool.v2"


@pytest.mark.requirement("spine:privacy:masked", "spine:privacy:bounded")
def test_attributes_are_sorted_masked_and_bounded() -> None:
    pairs = privacy.attribute_pairs(
        {"region": "eu", "api_key": "abc", "n": 3, "ok": True, "long": "x" * 100, "a=b": 1}, 20
    )
    assert pairs == (
        "a_b=1",
        "api_key=[masked]",
        "long=" + "x" * 19 + "…",
        "n=3",
        "ok=true",
        "region=eu",
    )


def test_too_many_attributes_are_cut() -> None:
    pairs = privacy.attribute_pairs({f"k{i:04d}": i for i in range(1000)}, 20)
    assert len(pairs) == privacy.ATTRIBUTES_MAX


@pytest.mark.requirement("spine:privacy:masked")
def test_metadata_keeps_its_shape_without_secrets() -> None:
    found = json.loads(
        privacy.metadata_json(
            {
                "page": 3,
                "score": 0.5,
                "bad": float("nan"),
                "nested": {"password": "x", "list": ["sk-" + "a" * 20, None, True]},
            },
            50,
        )
        or ""
    )
    assert found == {
        "page": 3,
        "score": 0.5,
        "bad": None,
        "nested": {"password": "[masked]", "list": ["[masked]", None, True]},
    }


@pytest.mark.requirement("spine:privacy:bounded")
def test_metadata_of_any_depth_and_size_is_bounded() -> None:
    deep: dict[str, object] = {}
    here = deep
    for _ in range(100):
        here["next"] = {}
        here = here["next"]  # type: ignore[assignment]
    deep["wide"] = list(range(10_000))
    assert len(privacy.metadata_json(deep, 50) or "") < 1000


class Mute:
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


HOSTILE = {
    "endless": itertools.count(),
    "endless text": itertools.repeat("x" * 10_000),
    "huge integer": 10**5000,
    "mute": Mute(),
    "surrogate": "\ud800" * 100_000,
    "nan": float("nan"),
    "bytes": b"\xff" * 100_000,
    "wide": {str(n): {str(m): {str(k): "v" * 900 for k in range(64)} for m in range(64)}
             for n in range(64)},
    "keys": {Mute(): 1, 2: 3, None: 4, "k" * 100_000: 5},
}  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_metadata_of_an_application_raises_hangs_or_is_cut_into_no_json(value: object) -> None:
    text = privacy.metadata_json({"a": value, "b": 1}, 512)
    assert text is not None
    assert len(text) <= privacy.METADATA_CHARS_MAX
    assert isinstance(json.loads(text), dict)
    pairs = privacy.attribute_pairs({"a": "x" if value is None else value, "b": 1}, 512)
    assert pairs[1:] == ("b=1",)


def test_what_cannot_say_what_it_is_goes_by_its_class() -> None:
    assert privacy.metadata_json({"a": Mute(), "b": 2**64}, 99) == (
        '{"a":"<Mute>","b":"integer of 65 bits"}'
    )
    assert privacy.attribute_pairs({1: 2, "a": Mute(), Mute(): True}, 99) == (
        "1=2", "<Mute>=true", "a=<Mute>",
    )  # fmt: skip


def test_no_metadata_is_unknown() -> None:
    assert privacy.metadata_json(None, 50) is None


def test_a_uri_loses_query_fragment_and_credentials() -> None:
    kept = privacy.uri_without_query("https://user:pw@host/a/b?token=1#x")
    assert kept == "https://host/a/b"


@pytest.mark.requirement("spine:privacy:query-shape")
def test_sql_keeps_its_shape_without_literals() -> None:
    query = """SELECT name, 0x1F FROM "t" -- secret
      WHERE id = 42 AND name = 'O''Brien' AND x IN (1, 2,3) /* more */ LIMIT 1e3"""
    shape = privacy.query_shape(query, "sql", 200)
    assert shape == "SELECT name, ? FROM ? WHERE id = ? AND name = ? AND x IN (?) LIMIT ?"


def test_prose_keeps_the_number_of_its_words_only() -> None:
    assert privacy.query_shape("who treated John Doe?", "text", 200) == "4 words"


@pytest.mark.requirement("spine:privacy:query-shape")
def test_equal_queries_have_equal_hashes_and_a_key_changes_them() -> None:
    assert privacy.query_hash(" what? ") == privacy.query_hash("what?")
    assert privacy.query_hash("what?") != privacy.query_hash("what?", "key")
    assert len(privacy.query_hash("x")) == 16
