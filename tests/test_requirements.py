"""Promises and tests hold each other: none of a finished part without a test, no mark at random."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.requirements import (
    DONE_PARTS,
    PARTS,
    PROMISES,
    Carrier,
    MarkError,
    Promise,
    carried,
    carriers,
    missing,
    promises_of,
)

CARRIED = carried(Path(__file__).parent)
MARK = "@pytest.mark.requirement"


@pytest.mark.requirement("spine:repo:requirements")
@pytest.mark.requirement("doors:requirements:both-ways")
def test_every_promise_of_a_finished_part_is_carried_by_a_test() -> None:
    assert PARTS.keys() >= DONE_PARTS
    lines = [f"{p.id}: {p.sentence} ({p.source})" for p in missing(PROMISES, CARRIED, DONE_PARTS)]
    assert not lines, "\n".join(["no test carries:", *lines])


@pytest.mark.requirement("spine:repo:requirements")
@pytest.mark.requirement("doors:requirements:both-ways")
def test_every_mark_names_a_promise() -> None:
    known = {promise.id for promise in PROMISES}
    assert [carrier for carrier in CARRIED if carrier.id not in known] == []


def test_every_promise_has_one_id_and_waits_for_a_known_part() -> None:
    assert [name for name, count in Counter(p.id for p in PROMISES).items() if count > 1] == []
    assert {promise.part for promise in PROMISES} <= PARTS.keys()


@pytest.mark.requirement("doors:requirements:both-ways")
def test_what_nobody_carries_says_why() -> None:
    assert [p.id for p in PROMISES if (p.part == "open") != (p.reason is not None)] == []


@pytest.mark.requirement("doors:requirements:seeds")
def test_no_row_of_the_five_seeds_is_lost() -> None:
    assert Counter(p.source for p in PROMISES if p.source.endswith(".md")) == {
        "tier-usage-and-cost-control.md": 131,
        "api-monitoring-and-alerting.md": 110,
        "mcp-production-monitoring.md": 113,
        "statistics-api.md": 145,
        "metrics-and-logging.md": 100,
    }


MOVED = {
    "000:config:class": ("spine", "control"),
    "002:store:in-memory-hour": ("spine", "time"),
}
"""Rows that wait for another part than the list says; one that was nobody's may wait for any."""
_ROW = re.compile(r"\| `([^`]+)` \| (.+) \| ([a-z-]+) \|")


@pytest.mark.requirement("doors:requirements:seeds")
def test_every_row_of_the_seeds_list_is_a_promise_in_the_same_words(shared_data: Path) -> None:
    listed = (shared_data.parent / "requirements.md").read_text(encoding="utf-8")
    rows = {id_: (sentence, part) for id_, sentence, part in _ROW.findall(listed)}
    ours = {p.id: (p.sentence, p.part) for p in PROMISES if p.source.endswith(".md")}
    assert len(rows) == 599
    assert {id_: sentence for id_, (sentence, _) in ours.items()} == {
        id_: sentence for id_, (sentence, _) in rows.items()
    }
    moved = {id_: (part, ours[id_][1]) for id_, (_, part) in rows.items()}
    assert {i: m for i, m in moved.items() if m[0] not in {m[1], "open"}} == MOVED


def test_a_row_goes_on_in_indented_lines_and_may_end_in_a_reason() -> None:
    table = "\na:b | web | A page\n    of two lines\na:c | open | Magic -- nobody can\n"
    assert list(promises_of("a.md", table)) == [
        Promise("a:b", "a.md", "A page of two lines", "web", None),
        Promise("a:c", "a.md", "Magic", "open", "nobody can"),
    ]


def test_marks_are_found_on_tests_parameters_and_modules() -> None:
    text = (
        'pytestmark = pytest.mark.requirement("a")\n'
        f'{MARK}("b", "c")\nasync def test_b(): ...\n'
        'pytest.param(1, marks=pytest.mark.requirement("d"))\n'
    )
    assert sorted(carriers("t.py", text), key=lambda carrier: carrier.id) == [
        Carrier("a", "t.py:1"),
        Carrier("b", "t.py:2"),
        Carrier("c", "t.py:2"),
        Carrier("d", "t.py:4"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{MARK}("a")\ndef helper(): ...\n', "t.py:2: helper is no test"),
        (f"{MARK}(NAME)\ndef test_a(): ...\n", "t.py:1: write the id out: NAME"),
    ],
)
def test_a_mark_that_shows_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(MarkError, match=message):
        list(carriers("t.py", text))


def test_a_finished_part_without_a_test_is_found() -> None:
    promises = [Promise("a", "s", "A", "spine", None), Promise("b", "s", "B", "web", None)]
    shown = [Carrier("a", "t.py:1")]
    assert missing(promises, shown, frozenset({"spine"})) == []
    assert missing(promises, shown, frozenset({"spine", "web"})) == [promises[1]]
