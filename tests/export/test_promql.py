"""What an expression speaks of is found."""

from __future__ import annotations

from tests.export.promql import Spoken, filled_in, spoken


def test_metrics_labels_and_groupings_are_found() -> None:
    expression = (
        'sum by (le, tool) (rate(a_bucket{x="b{c}",y=~"z"}[5m] offset 1d)) / on (tool) '
        'group_left () (up > 0) or vector(0) and {__name__=~"m",s!="1"} * level:a:rate5m - 1.5e3'
    )
    assert spoken(expression) == Spoken(
        {
            "a_bucket": frozenset({"x", "y"}),
            "": frozenset({"__name__", "s"}),
            "up": frozenset(),
            "level:a:rate5m": frozenset(),
        },
        frozenset({"le", "tool"}),
    )


def test_variables_are_filled_in() -> None:
    assert filled_in('a{b="$c"}[$__range]', {"c": "d", "__range": "5m"}) == 'a{b="d"}[5m]'
