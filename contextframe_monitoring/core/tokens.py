"""How many tokens a text is, estimated offline, without a vocabulary; and a ratio for many texts.

A tokenizer cuts at the borders between letters, digits, punctuation and blanks, so the pieces that
regular expressions find there are counted, with weights for the long ones. The weights were fitted
by least squares to o200k on one half of a corpus of source, JSON, package metadata and generated
rows; on the other half (106 documents) the median error was 1.2 %, the 95th percentile 8.4 %. They
say nothing certain about other tokenizers: an estimate is always labelled as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

_WORD, _WORD_CHAR_OVER_7 = 0.823, 0.145
_DIGIT_GROUP = 1.036
_PUNCTUATION, _PUNCTUATION_CHAR_OVER_3 = 1.023, 0.159
_NON_ASCII_CHAR = 0.7
_INDENT = 1.149

_words = re.compile(r"[A-Za-z]+").findall
_digit_groups = re.compile(r"[0-9]{1,3}").findall
_punctuation = re.compile(r"[!-/:-@\[-`{-~\x00-\x08\x0e-\x1b\x7f]+").findall
_indents = re.compile(r"\n[ \t]*|[ \t]{2,}").findall
_non_ascii = re.compile(r"[^\x00-\x7f]+").findall

SAMPLE_CHARS_MAX = 4096
"""Only so much of a text is looked at; the rest is taken to be like it."""


class Vocabulary(Protocol):
    """A tokenizer whose vocabulary is at hand: it counts where an estimate would guess."""

    def count(self, texts: Sequence[str]) -> int | None:
        """Return the tokens of the texts; None when they are too long to be counted in passing."""
        ...


def estimate_tokens(text: str) -> int:
    """Return the estimated number of tokens of a whole text; takes about 0.1 ms for 1,000 chars."""
    return round(_weighed(text))


def sampled_tokens(texts: Sequence[str]) -> float:
    """Return the estimate for texts of which only the first `SAMPLE_CHARS_MAX` characters are
    read.
    """
    sample, missing = [], SAMPLE_CHARS_MAX
    for text in texts:
        sample.append(text[:missing])
        missing -= len(sample[-1])
        if not missing:
            break
    tokens = sum(map(_weighed, sample))
    return tokens if missing else tokens * sum(map(len, texts)) / SAMPLE_CHARS_MAX


def _weighed(text: str) -> float:
    words, marks = _words(text), _punctuation(text)
    tokens = _WORD * len(words) + _PUNCTUATION * len(marks)
    tokens += _WORD_CHAR_OVER_7 * sum([len(word) - 7 for word in words if len(word) > 7])
    tokens += _PUNCTUATION_CHAR_OVER_3 * sum([len(mark) - 3 for mark in marks if len(mark) > 3])
    tokens += _DIGIT_GROUP * len(_digit_groups(text)) + _INDENT * len(_indents(text))
    if not text.isascii():
        tokens += _NON_ASCII_CHAR * sum(map(len, _non_ascii(text)))
    return tokens
