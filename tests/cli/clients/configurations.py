"""Configurations of clients, as people have them and as nobody would."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

SPACES = st.text(alphabet=" \t\n", max_size=3)
COMMENTS = st.sampled_from(["", "", "", "/* , */", '// "x": {\n', "/**/", "// }\r\n"])
KEYS = st.text(max_size=6) | st.sampled_from(["mcpServers", "command", "args", "//", "/*", ","])
WORDS = st.text(max_size=8) | st.sampled_from(["--", "-m", "wrap", "serve", "C:\\Program Files\\x"])
ENTRIES = st.fixed_dictionaries(
    {"command": WORDS},
    optional={
        "args": st.lists(WORDS, max_size=3),
        "env": st.dictionaries(WORDS, WORDS, max_size=1),
    },
) | st.fixed_dictionaries({"type": st.just("http"), "url": WORDS})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def documents(
    draw: st.DrawFn, values: st.SearchStrategy[Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """A document in any style, with its value."""
    given = values if values is not None else st.dictionaries(KEYS, VALUES, max_size=4)
    value = draw(given)
    style = draw(st.sampled_from(["loose", "json", "compact"]))
    if style == "json":
        indent = draw(st.sampled_from([1, 2, 4, "\t"]))
        text = json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans()))
    elif style == "compact":
        text = json.dumps(value, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    else:
        text = _loose(value, lambda: draw(SPACES) + draw(COMMENTS) + draw(SPACES), draw)
    if draw(st.booleans()):
        text += draw(st.sampled_from(["\n", "\r\n", "\n\n", " // end"]))
    if draw(st.booleans()):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text, value


def _loose(value: Any, gap: Callable[[], str], draw: st.DrawFn) -> str:
    if isinstance(value, dict) and value:
        inner = [f"{json.dumps(k)}{gap()}:{gap()}{_loose(v, gap, draw)}" for k, v in value.items()]
    elif isinstance(value, list) and value:
        inner = [_loose(v, gap, draw) for v in value]
    else:
        return json.dumps(value)
    brackets = "{}" if isinstance(value, dict) else "[]"
    comma = draw(st.sampled_from(["", "", ","]))
    joined = ",".join(f"{gap()}{part}{gap()}" for part in inner)
    return f"{brackets[0]}{joined}{comma}{gap()}{brackets[1]}"
