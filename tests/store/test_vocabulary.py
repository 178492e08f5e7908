"""A vocabulary on disk counts; whatever is wrong with it is said, and stops nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.store.vocabulary import (
    COUNTED_CHARS_MAX,
    FileVocabulary,
    vocabulary_of,
)
from tests.support import word_vocabulary


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(word_vocabulary(tmp_path / "tokenizer.json"))


def test_texts_are_counted_as_the_library_counts_them(path: str) -> None:
    texts = ["the quick brown fox", "über den Fluß 12", ""]
    whole = Tokenizer.from_file(path)
    expected = sum(len(whole.encode(text, add_special_tokens=False)) for text in texts)
    assert FileVocabulary(path).count(texts) == expected == 8


def test_lone_surrogates_are_counted_and_what_is_too_long_is_not(path: str) -> None:
    vocabulary = FileVocabulary(path)
    assert vocabulary.count(["a \ud800 b"]) == 3
    assert vocabulary.count(["a " * (COUNTED_CHARS_MAX // 2)]) == COUNTED_CHARS_MAX // 2
    assert vocabulary.count(["a", "b" * COUNTED_CHARS_MAX]) is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00"])
def test_a_file_that_is_no_vocabulary_is_refused_by_name(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(
        UnavailableError, match=r"tokenizer_path = '.*tokenizer.json' can't be used"
    ):
        FileVocabulary(str(file))
    assert vocabulary_of(MonitoringConfig(tokenizer_path=str(file))) is None


def test_without_the_library_the_error_says_what_to_install(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UnavailableError, match=r"pip install 'contextframe-monitoring\[tokens\]'"):
        FileVocabulary(path)


def test_where_none_is_named_there_is_none(path: str) -> None:
    assert vocabulary_of(MonitoringConfig()) is None
    assert vocabulary_of(MonitoringConfig(tokenizer_path=path)) is not None
