"""Which metrics and labels a PromQL expression of ours speaks of.

No parser: it knows what our expressions are made of. promtool holds their grammar.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)?\{([^}]*)\}")
_BARE = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)(?!\s*\()(?![\w:])")
_WORDS = {"or", "and", "unless", "offset", "on", "by", "group_left"}


@dataclass(frozen=True)
class Spoken:
    """Metric -> labels in its matchers ("" when it is chosen by matchers alone), and labels that
    results are grouped by.
    """

    metrics: Mapping[str, frozenset[str]]
    grouped: frozenset[str]


def spoken(expression: str) -> Spoken:
    """Return what an expression speaks of, variables filled in."""
    bare = _TEXT.sub('""', expression)
    grouped = {
        label.strip() for labels in _GROUPING.findall(bare) for label in labels.split(",")
    } - {""}
    bare = _GROUPING.sub(" ", bare)
    bare = re.sub(r"\[[^\]]*\]|\boffset \w+", " ", bare)
    metrics: dict[str, set[str]] = defaultdict(set)
    for name, matchers in _SELECTOR.findall(bare):
        metrics[name] |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    for name in _BARE.findall(_SELECTOR.sub(" ", bare)):
        if name not in _WORDS:
            metrics[name] |= set()
    return Spoken({name: frozenset(labels) for name, labels in metrics.items()}, frozenset(grouped))


def filled_in(expression: str, values: Mapping[str, str]) -> str:
    """Return an expression with the values of its variables."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)
