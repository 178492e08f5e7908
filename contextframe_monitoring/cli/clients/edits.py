"""Edits of a document: a member more or less, other elements at the head of an array.

Each looks like what stands around it, and leaves comments where they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from contextframe_monitoring.cli.clients.document import Document, Edit, Member, Span


def rendered(document: Document, value: Any, indent: str) -> str:
    """Return a value as JSON in the document's style; `indent` is that of its first line."""
    if document.is_compact:
        return json.dumps(value, ensure_ascii=False)
    text = json.dumps(value, ensure_ascii=False, indent=document.unit)
    return text.replace("\n", document.line_end + indent)


def fresh(value: Any, *, byte_order_mark: str = "") -> str:
    """Return the text of a file that holds a value and had no style of its own."""
    return byte_order_mark + json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def added_member(document: Document, span: Span, key: str, value: Any) -> list[Edit]:
    """Return the edits that put a member at the end of the object at `span`."""
    members = document.members(span)
    indent = _member_indent(document, span, members)
    member = f"{json.dumps(key, ensure_ascii=False)}: {rendered(document, value, indent)}"
    if not members:
        return [_first_member(document, span, member, indent)]
    last, close = members[-1], span.end - 1
    tail = len(document.text[:close].rstrip(" \t\r\n"))
    behind = slice(last.span.end, tail)
    commented = document.text[behind] != document.uncommented[behind]
    lines = commented or document.indent_at(last.start) is not None
    gap = document.line_end + indent if lines else " "
    if "," in document.uncommented[behind]:
        return [Edit(tail, tail, gap + member)]
    if tail == last.span.end:
        return [Edit(tail, tail, "," + gap + member)]
    return [Edit(last.span.end, last.span.end, ","), Edit(tail, tail, gap + member)]


def _member_indent(document: Document, span: Span, members: list[Member]) -> str:
    if members:
        found = document.indent_at(members[0].start)
        if found is not None:
            return found
    line_start = max(document.text.rfind(end, 0, span.start) for end in "\r\n") + 1
    line = document.text[line_start : span.start].removeprefix("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))] + document.unit


def _first_member(document: Document, span: Span, member: str, indent: str) -> Edit:
    at = span.start + 1
    inside = document.text[at : span.end - 1]
    if document.is_compact:
        return Edit(at, at, member)
    text = document.line_end + indent + member
    if inside.strip(" \t"):
        return Edit(at, at, text)
    return Edit(at, span.end - 1, text + document.line_end + indent.removesuffix(document.unit))


def removed_member(document: Document, span: Span, key: str) -> list[Edit]:
    """Return the edits that take a member, and the comma that it needs, out of an object."""
    members = document.members(span)
    index = max(i for i, member in enumerate(members) if member.key == key)
    member = members[index]
    behind = _comma_behind(document, member, span.end)
    end = behind or member.span.end
    if len(members) == 1:
        around = document.text[span.start + 1 : member.start] + document.text[end : span.end - 1]
        if not around.strip():
            return [Edit(span.start + 1, span.end - 1, "")]
    edits = [Edit(_start_of_gap(document, member.start, end), end, "")]
    if behind is None and index > 0:
        comma = document.uncommented.index(",", members[index - 1].span.end, member.start)
        edits.append(Edit(comma, comma + 1, ""))
        if comma + 1 == edits[0].start:
            return [Edit(comma, end, "")]
    return edits


def _start_of_gap(document: Document, start: int, end: int) -> int:
    """Return where the white space before a member begins; the member's own start where a comment
    before it would swallow what follows.
    """
    gap = len(document.text[:start].rstrip(" \t\r\n"))
    comment_before = document.text[gap - 1] != document.uncommented[gap - 1]
    next_line = document.text[end:].lstrip(" \t")[:1] in {"\r", "\n", ""}
    return start if comment_before and not next_line else gap


def _comma_behind(document: Document, member: Member, end: int) -> int | None:
    """Return the position behind the comma that follows a member, None when none does."""
    rest = document.uncommented[member.span.end : end]
    spaces = len(rest) - len(rest.lstrip(" \t\r\n"))
    return member.span.end + spaces + 1 if rest[spaces : spaces + 1] == "," else None


def replaced_head(document: Document, span: Span, count: int, head: Sequence[str]) -> list[Edit]:
    """Return the edits that put `head` in the place of the first `count` elements of the array at
    `span`.
    """
    elements = document.elements(span)
    texts = [json.dumps(text, ensure_ascii=False) for text in head]
    if not elements:
        return [Edit(span.start + 1, span.start + 1, ", ".join(texts))] if texts else []
    indent = document.indent_at(elements[0].start)
    gap = " " if indent is None else document.line_end + indent
    joined = ("," + gap).join(texts)
    if count == 0:
        start = elements[0].start
        return [Edit(start, start, joined + "," + gap)] if texts else []
    if texts:
        return [Edit(elements[0].start, elements[count - 1].end, joined)]
    if count < len(elements):
        return [Edit(elements[0].start, elements[count].start, "")]
    return [Edit(elements[0].start, elements[-1].end, "")]
