"""What may be stored of free text: bounded, masked, printable; of a query: its hash and its shape.

Contents (arguments, results, prompts, query texts) never reach a record. Metadata, attributes and
error texts are given by an application on purpose; they are free text all the same, so keys on a
deny-list lose their values and strings that look like credentials are replaced. The patterns are
the published prefixes of the vendors' keys.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

MASK = "[masked]"
NAME_CHARS_MAX = 256
ATTRIBUTES_MAX = 32
_DEPTH_MAX = 4
_ITEMS_MAX = 64
_VALUES_MAX = 256
_BITS_MAX = 63
METADATA_CHARS_MAX = 8_192
"""Far below a frame, so that no metadata is ever cut into something that is no JSON."""
_SHORT_CHARS = 24
_T = TypeVar("_T")

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|api[_-]?key|authorization|credential|cookie"
    r"|private[_-]?key|access[_-]?key|session[_-]?key|bearer|^auth$|^pwd$|ssn$"
    r"|card[_-]?number|iban",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"sk-[A-Za-z0-9_\-]{16,}"  # OpenAI, Anthropic and those who copied them
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9\-]{10,}"
    r"|\bA(?:KIA|SIA)[A-Z0-9]{16}\b"
    r"|AIza[A-Za-z0-9_\-]{30,}"
    r"|eyJ[A-Za-z0-9_\-]{8,4096}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"  # JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/\-]{12,}=*"
    r"|(?i:\b(?:password|passwd|secret|token|api[_-]?key))\s*[=:]\s*[^\s,;\"']+"
    r"|://[^/\s:@]+:[^/\s@]+@"  # user:password in a URL
)
_LITERAL = re.compile(
    r"'(?:[^'\\]|\\.|'')*'?|\"(?:[^\"\\]|\\.|\"\")*\"?"
    r"|\b0x[0-9a-fA-F]+\b|\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b"
)
_COMMENT = re.compile(r"--[^\n]*|/\*[\s\S]*?(?:\*/|$)")
_LIST_OF_LITERALS = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")


def bounded_text(text: str, chars_max: int) -> str:
    """Return `text` as valid UTF-8 without NUL, at most `chars_max` characters, the cut marked by
    `…`.
    """
    kept = text[: chars_max + 1]
    if not kept.isprintable():
        kept = kept.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return kept if len(kept) <= chars_max else kept[: chars_max - 1] + "…"


def masked_text(text: str, chars_max: int) -> str:
    """Return `text` bounded, with everything that looks like a credential replaced.

    The text is cut with room to spare before the patterns run, so that a huge one costs no more
    than a long one and a secret that straddles the bound is still seen whole.
    """
    return bounded_text(_SECRET_TEXT.sub(MASK, bounded_text(text, 2 * chars_max + 256)), chars_max)


def bounded_name(name: str) -> str:
    """Return a name (tool, agent, model, server) that is printable and at most `NAME_CHARS_MAX`
    characters.
    """
    if len(name) <= NAME_CHARS_MAX and name.isprintable():
        return name
    cut = bounded_text(name, NAME_CHARS_MAX)
    return "".join(char if char.isprintable() else "\ufffd" for char in cut)


def uri_without_query(uri: str) -> str:
    """Return the part of a URI that names a resource: no query, no fragment, no user:password."""
    head = re.split(r"[?#]", uri, maxsplit=1)[0]
    return bounded_name(re.sub(r"://[^/@]*@", "://", head))


def attribute_pairs(attributes: Mapping[str, Any] | None, chars_max: int) -> tuple[str, ...]:
    """Return `key=value` strings, sorted by key, at most `ATTRIBUTES_MAX`, values masked and
    bounded.
    """
    if not attributes:
        return ()
    pairs = []
    named = {plain_text(key): value for key, value in attributes.items()}
    for key in sorted(named)[:ATTRIBUTES_MAX]:
        value = named[key]
        text = MASK if _SECRET_KEY.search(key) else masked_text(plain_text(value), chars_max)
        pairs.append(f"{bounded_name(key).replace('=', '_')}={text}")
    return tuple(pairs)


def metadata_json(metadata: Mapping[str, Any] | None, chars_max: int) -> str | None:
    """Return a metadata dictionary as a JSON object: masked, bounded in depth, items and text, at
    most `METADATA_CHARS_MAX` characters; None stays None.
    """
    if metadata is None:
        return None
    for bound in (chars_max, min(chars_max, _SHORT_CHARS)):
        kept = _kept(metadata, bound, 0, [_VALUES_MAX])
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= METADATA_CHARS_MAX:
            return text
    return '{"truncated":true}'


def masked_fields(fields: Mapping[str, Any], chars_max: int) -> dict[str, Any]:
    """Return fields as they may stand in a log line: masked, bounded as metadata is, plain JSON."""
    kept: dict[str, Any] = _kept(fields, chars_max, 0, [_VALUES_MAX])
    return kept


def plain_text(value: Any) -> str:
    """Return a value as text; one that can't say what it is, as the name of its class."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _BITS_MAX:
        return f"integer of {value.bit_length()} bits"
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - it is the application's object, and not worth its call
        return f"<{type(value).__name__}>"


def _kept(value: Any, chars_max: int, depth: int, left: list[int]) -> Any:
    """Return what is kept of a value; `left` is the number of values that may still be kept."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= _BITS_MAX:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and depth < _DEPTH_MAX:
        return {
            bounded_name(plain_text(key)): (
                MASK
                if _SECRET_KEY.search(plain_text(key))
                else _kept(inner, chars_max, depth + 1, left)
            )
            for key, inner in _some(value.items(), left)
        }
    if isinstance(value, Iterable) and not isinstance(value, str | bytes) and depth < _DEPTH_MAX:
        return [_kept(inner, chars_max, depth + 1, left) for inner in _some(value, left)]
    return masked_text(plain_text(value), chars_max)


def _some(values: Iterable[_T], left: list[int]) -> Iterator[_T]:
    """Yield the first values, as many as may still be kept; never ask for more."""
    for value in itertools.islice(values, min(_ITEMS_MAX, left[0])):
        left[0] -= 1
        if left[0] < 0:
            return
        yield value


def query_hash(query: str, key: str = "") -> str:
    """Return 16 hex characters that stand for a query text: BLAKE2b, keyed when the operator
    gives a key.
    """
    data = query.strip().encode("utf-8", "replace")
    return hashlib.blake2b(data, digest_size=8, key=key.encode("utf-8", "replace")[:64]).hexdigest()


def query_shape(query: str, query_type: str, chars_max: int) -> str:
    """Return what a query looks like without its literals.

    SQL keeps its keywords and names, every string and number becomes `?`. Any other query is
    prose, so only the number of its words is kept.
    """
    text = query[: 4 * chars_max]
    if query_type != "sql":
        return f"{len(_WORD.findall(text))} words"
    bare = _SPACE.sub(" ", _LITERAL.sub("?", _COMMENT.sub(" ", text))).strip()
    return bounded_text(_LIST_OF_LITERALS.sub("(?)", bare), chars_max)
