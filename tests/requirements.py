"""Every promise as data: what the seeds and the issues say, and the part of the work it waits for.

`python -m tests.requirements` prints the promises of every part that no test carries yet.
"""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from tests.requirements_alerts import ALERTS
from tests.requirements_cost import COST
from tests.requirements_doors import DOORS
from tests.requirements_export import EXPORT
from tests.requirements_seeds import SEED_000, SEED_001, SEED_002, SEED_003, SEED_004
from tests.requirements_spine import SPINE
from tests.requirements_time import TIME

DONE_PARTS: frozenset[str] = frozenset({"spine", "doors", "cost"})
"""Parts whose every promise must be carried by a test."""

PARTS = {
    "spine": "issue 2",
    "doors": "issue 3",
    "cost": "issue 4",
    "time": "issue 5",
    "alerts": "issue 6",
    "export": "issue 7",
    "control": "budgets, throttle and tiers: an issue to come",
    "upstream": "calls to upstream APIs and health: an issue to come",
    "web": "REST and the dashboard: an issue to come",
    "examples": "applications as examples: an issue to come",
    "scale-out": "several hosts: an issue to come",
    "open": "nobody: the row says why",
}
"""Part -> what a promise of it waits for."""

SOURCES = {
    "000": ("tier-usage-and-cost-control.md", SEED_000),
    "001": ("api-monitoring-and-alerting.md", SEED_001),
    "002": ("mcp-production-monitoring.md", SEED_002),
    "003": ("statistics-api.md", SEED_003),
    "004": ("metrics-and-logging.md", SEED_004),
    "spine": ("issue 2", SPINE),
    "doors": ("issue 3", DOORS),
    "time": ("issue 5", TIME),
    "cost": ("issue 4", COST),
    "alerts": ("issue 6", ALERTS),
    "export": ("issue 7", EXPORT),
}
"""First word of an id -> where its promises are made, and their table."""

_ROW = re.compile(r"(\S+) \| ([a-z-]+) \| (.+?)(?: -- (.+))?")


class MarkError(Exception):
    """A requirement mark that shows nothing."""


@dataclasses.dataclass(frozen=True)
class Promise:
    """One promise; a test carries it by `@pytest.mark.requirement(id)`."""

    id: str
    source: str
    sentence: str
    part: str
    reason: str | None
    """Why nobody carries it (part `open` only)."""


@dataclasses.dataclass(frozen=True)
class Carrier:
    """A test's mark that it shows a promise."""

    id: str
    place: str
    """file:line"""


def promises_of(source: str, table: str) -> Iterator[Promise]:
    """Read a table: a row is `id | part | sentence -- reason`, indented lines go on with it."""
    for row in re.sub(r"\n +", " ", table).strip().splitlines():
        found = _ROW.fullmatch(row)
        if found is None:
            raise ValueError(f"{source}: not a row: {row!r}")
        id_, part, sentence, reason = found.groups()
        yield Promise(id_, source, sentence, part, reason)


PROMISES = [promise for made_in in SOURCES.values() for promise in promises_of(*made_in)]


def carriers(path: str, text: str) -> Iterator[Carrier]:
    """Every requirement mark of a test file: on a test, on a parameter set, or in `pytestmark`.

    Raises `MarkError` where a mark stands on something that is no test, or its id is not written
    out.
    """
    if "requirement" not in text:
        return
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [mark for mark in node.decorator_list if _is_mark(mark)]
            if marks and not node.name.startswith("test_"):
                raise MarkError(f"{path}:{node.lineno}: {node.name} is no test")
        if _is_mark(node):
            place = f"{path}:{node.lineno}"
            for argument in node.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise MarkError(f"{place}: write the id out: {ast.unparse(argument)}")
                yield Carrier(argument.value, place)


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement"


def carried(tests: Path) -> list[Carrier]:
    """Every requirement mark of the test files below a folder."""
    return [
        carrier
        for path in sorted(tests.rglob("test_*.py"))
        for carrier in carriers(
            path.relative_to(tests.parent).as_posix(), path.read_text(encoding="utf-8")
        )
    ]


def missing(promises: list[Promise], shown: list[Carrier], parts: frozenset[str]) -> list[Promise]:
    """The promises of some parts that no test carries."""
    ids = {carrier.id for carrier in shown}
    return [promise for promise in promises if promise.part in parts and promise.id not in ids]


if __name__ == "__main__":
    for promise in missing(PROMISES, carried(Path(__file__).parent), frozenset(PARTS)):
        print(f"{promise.part:9} {promise.id:36} {promise.sentence}")
