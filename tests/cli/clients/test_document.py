"""A document: what it reads, where it says that things are, and what it says of what is no JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.cli.clients.document import Document, Edit
from contextframe_monitoring.core.errors import InvalidError
from tests.cli.clients.configurations import documents


@settings(deadline=None)
@given(documents())
def test_it_reads_what_json_reads_and_knows_where(found: tuple[str, dict[str, object]]) -> None:
    text, value = found
    document = Document(text, "f")
    assert document.value == value
    for member in document.members(document.root):
        shown = document.plain[member.span.start : member.span.end]
        assert json.loads(shown) == member.value
        assert json.JSONDecoder().raw_decode(document.plain[member.start :])[0] == member.key
    assert document.edited([]) == text


def test_comments_and_trailing_commas_are_read_over() -> None:
    text = '\ufeff// a "b"\r\n{"x": /* { */ "http://a//b", "y": [1, 2, // c\r\n ], } /* end */'
    document = Document(text, "f")
    assert document.value == {"x": "http://a//b", "y": [1, 2]}
    member = document.member(document.root, "y")
    assert member is not None
    assert [text[e.start : e.end] for e in document.elements(member.span)] == ["1", "2"]
    assert document.line_end == "\r\n"


def test_the_last_of_two_members_of_one_name_counts() -> None:
    document = Document('{"a": 1, "b": 2, "a": 3}', "f")
    member = document.member(document.root, "a")
    assert member is not None
    assert (member.value, member.start) == (3, 17)


def test_edits_are_made_together() -> None:
    document = Document('{"a": 1}', "f")
    assert document.edited([Edit(7, 7, "!"), Edit(0, 1, "["), Edit(6, 7, "2")]) == '["a": 2!}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "f, line 1 = '' is not allowed: not JSON: expecting value"),
        ('{\n "a": 1\n "b": 2}', "f, line 3 = '\"b\": 2}' is not allowed: not JSON: expecting ','"),
        ('{"a": "b\n"}', 'f, line 1 = \'{"a": "b\' is not allowed: not JSON: invalid control'),
        ('{\r\n"a": /* b', "f, line 2 = '\"a\": /* b' is not allowed: not JSON: expecting value"),
        ('{"a": NaN}', "f, line 1 = '{\"a\": NaN}' is not allowed: not JSON: nan is no value"),
        ("{} {}", "f, line 1 = '{} {}' is not allowed: not JSON: something follows its end"),
        ("\n[1]", "f, line 2 = '[1]' is not allowed: expected an object, in braces"),
        ("{'a': 1}", "f, line 1 = \"{'a': 1}\" is not allowed: not JSON: expecting property name"),
    ],
)
def test_what_is_no_json_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Document(text, "f")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_a_monster_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        Document(text, "f")


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        Document(text, "f")
    except InvalidError as error:
        assert str(error).startswith("f, line ")
