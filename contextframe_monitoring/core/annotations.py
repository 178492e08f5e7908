"""The texts of a rule: placeholders in braces, filled once, bounded, foreign names quoted.

What is filled in is never looked at for placeholders again, so no name of a tool or an agent can
ask for more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from contextframe_monitoring.core.errors import shown
from contextframe_monitoring.core.privacy import bounded_text

ANNOTATION_CHARS_MAX = 500
VALUE_CHARS_MAX = 120
NAMES = ("rule", "signal", "severity", "value", "threshold", "unit", "window")
"""Placeholders that every rule has; beside them `{group.KEY}` and `{labels.KEY}`."""
_PLACE = re.compile(r"\{([^{}]{1,120})\}")
_BRACE = re.compile(r"[{}]")


def check_template(text: str, group_by: Collection[str], labels: Collection[str]) -> str | None:
    """Return what is wrong with a template, None when nothing is."""
    known = {*NAMES, *(f"group.{key}" for key in group_by), *(f"labels.{key}" for key in labels)}
    for name in _PLACE.findall(text):
        if name not in known:
            return f"unknown placeholder {{{name}}}; expected one of {', '.join(sorted(known))}"
    if _BRACE.search(_PLACE.sub("", text)):
        return "braces come in pairs and do not nest: {value}"
    return None


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its placeholders replaced, at most `ANNOTATION_CHARS_MAX`
    characters.

    `values` hold plain words of ours as they are; what comes from outside (`group.*`, `labels.*`)
    is quoted.
    """

    def put(found: re.Match[str]) -> str:
        value = values.get(found[1], "")
        return quoted(value) if found[1].startswith(("group.", "labels.")) else value

    return bounded_text(_PLACE.sub(put, text), ANNOTATION_CHARS_MAX)


def quoted(value: str) -> str:
    """Return a name from outside as a short printable literal."""
    return shown(bounded_text(value, VALUE_CHARS_MAX))
