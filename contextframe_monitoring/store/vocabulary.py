"""The vocabulary of a tokenizer that lies on this disk: nothing is ever fetched for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError, UnavailableError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

COUNTED_CHARS_MAX = 262_144
"""Longer messages are not counted in passing: they take more than 50 ms."""


class FileVocabulary:
    """Counts with a `tokenizer.json`. Safe to use in any thread."""

    def __init__(self, path: str) -> None:
        """Read the file. Raises `UnavailableError` when it can't be read, is no tokenizer, or the
        library is missing.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise UnavailableError(
                "tokenizer_path needs the library tokenizers: "
                "pip install 'contextframe-monitoring[tokens]'"
            ) from None
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_file(os.path.expanduser(path))
        except Exception as error:  # noqa: BLE001 - the library raises bare exceptions
            raise UnavailableError(
                f"tokenizer_path = {path!r} can't be used ({str(error)[:200]}): name the"
                " tokenizer.json of a model"
            ) from None

    def count(self, texts: Sequence[str]) -> int | None:
        """Return the tokens of the texts, special ones not included; None above
        `COUNTED_CHARS_MAX` characters.
        """
        if sum(map(len, texts)) > COUNTED_CHARS_MAX:
            return None
        encode = self._tokenizer.encode
        return sum(len(encode(_valid(text), add_special_tokens=False)) for text in texts)


def vocabulary_of(config: MonitoringConfig) -> FileVocabulary | None:
    """Return the vocabulary that a configuration names; None where tokens are to be estimated.

    One that can't be used never stops the monitored program: tokens are estimated then, and
    `doctor` says why.
    """
    if config.tokenizer_path is None:
        return None
    try:
        return FileVocabulary(config.tokenizer_path)
    except MonitoringError:
        return None


def _valid(text: str) -> str:
    """Return the text without lone surrogates, which no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
