"""A JSON document with positions: read by the standard library, changed in its own text.

A person's configuration keeps its comments, unknown keys, order, indentation, line ends and byte
order mark only if nothing is written that was not meant to change. So comments and trailing commas
are blanked out, character for character; what is left is plain JSON, every position of which is one
of the text. `json` reads it, complains with its line, and says where each value ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from contextframe_monitoring.core.errors import InvalidError

BYTE_ORDER_MARK = "\ufeff"
_STRING = r'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"'
_COMMENT = re.compile(_STRING + r"|//[^\r\n]*|/\*[\s\S]*?\*/")
_TRAILING_COMMA = re.compile(_STRING + r"|,(?=[ \t\r\n]*[}\]])")
_LINE_END = re.compile(r"\r\n?|\n")
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_A_LINE_END = re.compile(r"[^\r\n]")


@dataclass(frozen=True, slots=True)
class Span:
    """A value in a document: `start <= position < end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: where its key begins, its value, and where that lies."""

    key: str
    start: int
    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace a part of a document's text."""

    start: int
    end: int
    text: str


class Document:
    """The text of a JSON file, comments and trailing commas allowed."""

    def __init__(self, text: str, name: str) -> None:
        """`name` names the file in errors. Raises `InvalidError` with the line when it isn't
        JSON, or no object.
        """
        self.text, self.name = text, name
        body = text.replace(BYTE_ORDER_MARK, " ", 1) if text[:1] == BYTE_ORDER_MARK else text
        self.uncommented = _COMMENT.sub(_blanked_comment, body)
        self.plain = _TRAILING_COMMA.sub(_blanked_comma, self.uncommented)
        decoder = json.JSONDecoder(parse_constant=_no_constant)
        self._decode = decoder.raw_decode
        self.value = self._read()

    def _read(self) -> dict[str, Any]:
        start = self._skip(0)
        try:
            value, end = self._decode(self.plain, start)
        except json.JSONDecodeError as error:
            raise self.wrong(error.pos, f"not JSON: {error.msg.lower()}") from None
        except (ValueError, RecursionError) as error:
            raise self.wrong(start, f"not JSON: {str(error).lower()}") from None
        if self._skip(end) != len(self.plain):
            raise self.wrong(self._skip(end), "not JSON: something follows its end")
        if not isinstance(value, dict):
            raise self.wrong(start, "expected an object, in braces")
        return value

    def wrong(self, position: int, allowed: str) -> InvalidError:
        """Return the error that names the line of a position."""
        number = len(_LINE_END.findall(self.text[:position])) + 1
        lines = [*_LINE_END.split(self.text), ""]
        culprit = lines[min(number, len(lines)) - 1].strip()
        return InvalidError(f"{self.name}, line {number}", culprit, allowed)

    def _skip(self, position: int) -> int:
        found = _SPACE.match(self.plain, position)
        return found.end() if found else position

    @property
    def root(self) -> Span:
        """Where the outermost object lies."""
        return Span(self._skip(0), len(self.plain.rstrip(" \t\r\n")))

    def members(self, span: Span) -> list[Member]:
        """Return the members of the object at `span`, in order."""
        found: list[Member] = []
        at = self._skip(span.start + 1)
        while at < span.end - 1:
            key, end = self._decode(self.plain, at)
            start = self._skip(self._skip(end) + 1)  # behind the colon
            value, end = self._decode(self.plain, start)
            found.append(Member(key, at, value, Span(start, end)))
            at = self._skip(self._skip(end) + 1)  # behind the comma, or the brace
        return found

    def member(self, span: Span, key: str) -> Member | None:
        """Return the member that counts for a key: the last one, as JSON readers have it."""
        return next((m for m in reversed(self.members(span)) if m.key == key), None)

    def elements(self, span: Span) -> list[Span]:
        """Return where the elements of the array at `span` lie."""
        found: list[Span] = []
        at = self._skip(span.start + 1)
        while at < span.end - 1:
            _, end = self._decode(self.plain, at)
            found.append(Span(at, end))
            at = self._skip(self._skip(end) + 1)
        return found

    def edited(self, edits: Iterable[Edit]) -> str:
        """Return the text with some edits, which must not overlap."""
        parts, at = [], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            parts += [self.text[at : edit.start], edit.text]
            at = edit.end
        return "".join([*parts, self.text[at:]])

    # -- how it is written

    @cached_property
    def line_end(self) -> str:
        """The line end that the text uses."""
        found = _LINE_END.search(self.text)
        return found.group() if found else "\n"

    @cached_property
    def is_compact(self) -> bool:
        """Whether all stands on one line."""
        return not re.search(r"[\r\n]", self.text.strip()) and self.members(self.root) != []

    @cached_property
    def unit(self) -> str:
        """The indentation of one level."""
        for member in self.members(self.root)[:1]:
            return self.indent_at(member.start) or "  "
        return "  "

    def indent_at(self, position: int) -> str | None:
        """Return the white space before a position, None when something else stands on its
        line.
        """
        before = re.split(r"[\r\n]", self.text[:position].removeprefix(BYTE_ORDER_MARK))
        if len(before) == 1 or before[-1].strip(" \t"):
            return None
        return before[-1]


def _blanked_comment(found: re.Match[str]) -> str:
    text = found.group()
    return text if text[0] == '"' else _NOT_A_LINE_END.sub(" ", text)


def _blanked_comma(found: re.Match[str]) -> str:
    text = found.group()
    return text if text[0] == '"' else " "


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value")
