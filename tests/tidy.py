"""The layout of the source as data, and the house rules as functions over it.

Each rule takes sources and gives its findings, one `file:line: what is wrong` each; tests/test_tidy
holds them against the repository and against small sources that break them.
"""

import ast
import dataclasses
import graphlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal

PACKAGE = "contextframe_monitoring"

FLOORS = (
    {"core"},
    {"store"},
    {"ingest", "query"},
    {"control", "alerts", "export", "logs", "duties"},
    {"keeper"},
    {"monitor"},
    {"mcp", "web"},
    {"bench"},
    {"cli"},
    {"__main__", "__init__"},
)
"""The rooms, floor by floor. Imports go to lower floors; rooms on one floor are strangers."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}

HOMES = {
    "msgspec": None,
    "anyio": None,
    "platformdirs": {"store"},
    "sqlalchemy": {"store", "logs"},
    "psutil": {"store"},
    "structlog": {"logs"},
    "lance": {"store"},
    "lancedb": {"store"},
    "pyarrow": {"store", "query", "export", "bench"},
    "numpy": {"core", "store", "query", "export", "bench"},
    "duckdb": {"bench"},
    "genai_prices": {"store"},
    "tokenizers": {"store"},
    "pydantic": {"core", "query", "export", "mcp", "web", "bench"},
    "prometheus_client": {"export", "bench"},
    "opentelemetry": {"ingest", "mcp", "export", "bench"},
    "google": {"ingest", "export"},
    "boto3": {"export"},
    "botocore": {"export"},
    "cramjam": {"export"},
    "apprise": {"alerts"},
    "httpx2": {"alerts", "export"},
    "mcp": {"mcp", "bench", "cli"},
    "mcp_types": {"mcp", "bench"},
    "starlette": {"mcp", "web"},
    "uvicorn": {"mcp", "web", "bench"},
    "fastapi": {"web"},
    "typer": {"cli"},
    "rich": {"cli"},
}
"""Third-party package -> the rooms that may import it, None: any. Others are not used."""

SDK = frozenset({"anyio", "mcp", "mcp_types", "opentelemetry", "pydantic", "starlette"})
WRITE_PATH: dict[str, frozenset[str]] = {
    "__main__": frozenset(),
    "ingest.recorder": frozenset(),
    "ingest.usage": frozenset(),
    "ingest.performance": frozenset(),
    "ingest.cost": frozenset(),
    "ingest.collector": frozenset(),
    "store.spool.writer": frozenset(),
    "store.spool.reader": frozenset(),
    "monitor": frozenset(),
    "mcp.relay": frozenset(),
    "mcp.wrap": frozenset(),
    "mcp.middleware": SDK,
    "mcp.instrument": SDK,
}
"""Module that a monitored process loads -> what it may load beside the standard library and
msgspec: nothing, or what every MCP server in Python has loaded itself.
"""
LIGHT = frozenset({"msgspec", "typing_extensions"})
"""msgspec loads the other one."""

LINES_PER_FILE_MAX = 400
LINES_PER_FUNCTION_MAX = 50
LINES_PER_TEST_MAX = 120
"""A test may hold a whole report as its expected value."""
LINES_PER_TEST_FILE_MAX = 500
COLUMNS_MAX = 100
PURE_DATA = re.compile(r"tests/requirements\w*\.py")
"""Files that may be longer: tables, no code."""

NOTES = re.compile("|".join(rf"\b{a}{b}\b" for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"))))
NO_NOUN = re.compile(r"(?:\w+_)?(?:utils?|helpers?|common|managers?|misc)|base")
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:work|tmp|root|home/(?!m[eé]\b)\w+)\b")
"""/home/me is nobody's home: for examples."""
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org|crates\.io|anaconda\.org"
    r"|(?:index|registry)[-_]url|find[-_]links",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Import:
    """One imported name: `from a.b import c` is `a.b.c`."""

    name: str
    line: int
    when: Literal["loaded", "late", "types"]
    """When the module is loaded, in a function, or for the type checker only."""

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


@dataclasses.dataclass(frozen=True)
class Source:
    """One Python file, its path relative to the repository."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, "loaded"))

    @property
    def in_package(self) -> bool:
        return self.path.startswith(PACKAGE + "/")

    @property
    def module(self) -> str:
        """Dotted name; a package is its `__init__`'s."""
        parts = self.path.removesuffix(".py").split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)

    @property
    def room(self) -> str:
        return self.module.split(".")[1]

    def says(self, line: int, what: str) -> str:
        return f"{self.path}:{line}: {what}"


def _imports(node: ast.AST, when: Literal["loaded", "late", "types"]) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, node.lineno, when) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from (Import(f"{module}.{alias.name}", node.lineno, when) for alias in node.names)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        when = "types"
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        when = "late"
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, when)


def _modules(sources: Iterable[Source]) -> dict[str, Source]:
    return {source.module: source for source in sources if source.in_package}


def _meant(name: str, modules: dict[str, Source]) -> str | None:
    """The module of the package that an imported name lies in, the name itself where none does."""
    if name.partition(".")[0] != PACKAGE:
        return None
    module = name
    while module and module not in modules:
        module = module.rpartition(".")[0]
    if module or name.count(".") > 1:
        return module or name
    return f"{PACKAGE}.__init__"


def _edges(source: Source, modules: dict[str, Source]) -> Iterator[tuple[Import, str]]:
    for found in source.imports:
        there = _meant(found.name, modules)
        if there is not None and there != source.module:
            yield found, there


def arrows(sources: Iterable[Source]) -> Iterator[str]:
    """Imports point down; rooms on one floor are strangers; every room has a floor."""
    modules = _modules(sources)
    for source in modules.values():
        here = source.room
        if here not in FLOOR:
            yield source.says(1, f"room {here!r} has no floor: give it one in tests/tidy.py")
            continue
        for found, module in _edges(source, modules):
            there = module.split(".")[1]
            if there != here and FLOOR.get(there, 0) >= FLOOR[here]:
                yield source.says(
                    found.line,
                    f"{here} (floor {FLOOR[here]}) must not import {found.name}"
                    f" (floor {FLOOR[there]})",
                )


def homes(sources: Iterable[Source]) -> Iterator[str]:
    """Every third-party package is known, and is loaded only where it lives; types go anywhere."""
    for source in _modules(sources).values():
        for found in source.imports:
            if found.name.startswith("."):
                yield source.says(found.line, f"relative import of {found.name!r}")
                continue
            if found.top in sys.stdlib_module_names or found.top == PACKAGE:
                continue
            if found.top not in HOMES:
                yield source.says(found.line, f"{found.top} has no home in tests/tidy.py")
                continue
            rooms = HOMES[found.top]
            if rooms is not None and source.room not in rooms and found.when != "types":
                at_home = " and ".join(sorted(rooms))
                yield source.says(found.line, f"{found.top} belongs to {at_home}")


def light_write_path(sources: Iterable[Source]) -> Iterator[str]:
    """What a monitored process loads imports nothing heavy before it is needed."""
    modules = _modules(sources)
    for start, beside in WRITE_PATH.items():
        if f"{PACKAGE}.{start}" not in modules:
            yield f"tests/tidy.py:1: the write path names {start!r}, which does not exist"
            continue
        for source in _loaded_with(f"{PACKAGE}.{start}", modules):
            for found in source.imports:
                allowed = LIGHT | beside | {PACKAGE} | sys.stdlib_module_names
                if found.when == "loaded" and found.top not in allowed:
                    yield source.says(found.line, f"{start} would load {found.name}")


def _loaded_with(start: str, modules: dict[str, Source]) -> list[Source]:
    """Every module that importing `start` runs, packages included."""
    waiting, seen = [start], {f"{PACKAGE}.__init__"}
    while waiting:
        name = waiting.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        waiting.append(name.rpartition(".")[0])
        if name in modules:
            waiting += [
                there for found, there in _edges(modules[name], modules) if found.when == "loaded"
            ]
    return [modules[name] for name in sorted(seen & modules.keys())]


def cycles(sources: Iterable[Source]) -> Iterator[str]:
    """No module imports itself by a detour, late imports included."""
    modules = _modules(sources)
    graph = {
        name: {there for _, there in _edges(source, modules)} for name, source in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        ring = list(reversed(error.args[1]))
        source = modules[ring[0]]
        line = next(found.line for found, there in _edges(source, modules) if there == ring[1])
        yield source.says(line, "import cycle " + " -> ".join(ring))


def dead_modules(sources: Iterable[Source]) -> Iterator[str]:
    """Every module is imported by another one of the package, or named by it as a text."""
    modules = _modules(sources)
    used = {f"{PACKAGE}.__main__", f"{PACKAGE}.__init__"}
    racks: set[str] = set()
    for source in modules.values():
        used |= {there for _, there in _edges(source, modules)}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.JoinedStr):
                racks |= {part.value for part in node.values[:1] if _is_text(part)}
            elif _is_text(node):
                used.add(_named_by(node.value, source))
    for name, source in modules.items():
        on_rack = f"{name.rpartition('.')[0]}." in racks
        if name not in used and not on_rack and not source.path.endswith("__init__.py"):
            yield source.says(1, "nothing in the package imports it")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _named_by(text: str, source: Source) -> str:
    """The module that a text would name: `a.b:c`, or `b.py` for a program beside the source.

    A rack is named as a whole: the text f"a.b.{name}" means every module of `a.b`.
    """
    if text.endswith(".py"):
        return f"{source.module.rpartition('.')[0]}.{text.removesuffix('.py')}"
    return text.partition(":")[0]


def sizes(sources: Iterable[Source]) -> Iterator[str]:
    """Files, functions and lines stay short."""
    for source in sources:
        lines = source.text.splitlines()
        is_test = source.path.startswith("tests/")
        lines_max = LINES_PER_TEST_FILE_MAX if is_test else LINES_PER_FILE_MAX
        if len(lines) > lines_max and not PURE_DATA.fullmatch(source.path):
            yield source.says(len(lines), f"{len(lines)} lines: split it by noun")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield source.says(number, f"{len(line)} columns")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > (LINES_PER_TEST_MAX if is_test else LINES_PER_FUNCTION_MAX):
                    yield source.says(node.lineno, f"{node.name} has {length} lines")


def docstrings(sources: Iterable[Source]) -> Iterator[str]:
    """Every module says what it is; in the package, every public class and function too."""
    for source in sources:
        if source.text.strip() and not ast.get_docstring(source.tree):
            yield source.says(1, "the module has no docstring")
        if source.in_package:
            yield from _undocumented(source, source.tree)


def _undocumented(source: Source, parent: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in parent.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        again = [ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list]
        if node.name.startswith("_") or {"overload", "setter", "deleter"} & set(again):
            continue
        if not ast.get_docstring(node):
            yield source.says(node.lineno, f"{node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(source, node)


def names(sources: Iterable[Source]) -> Iterator[str]:
    """A module is called by a noun that says what it holds."""
    for source in sources:
        for part in source.path.removesuffix(".py").split("/"):
            if NO_NOUN.fullmatch(part.removeprefix("test_")):
                yield source.says(1, f"{part!r} says nothing: find the noun")


def notes(sources: Iterable[Source]) -> Iterator[str]:
    """Nothing is left as a note to self."""
    yield from _lines_with(NOTES, sources, "finish it or file it")


def machine_paths(files: Iterable[Source]) -> Iterator[str]:
    """No file names a folder of the machine that it was written on."""
    yield from _lines_with(MACHINE_PATH, files, "a machine's path")


def registries(files: Iterable[Source]) -> Iterator[str]:
    """No file says where packages are downloaded from."""
    yield from _lines_with(REGISTRY, files, "a registry's address")


def _lines_with(pattern: re.Pattern[str], files: Iterable[Source], what: str) -> Iterator[str]:
    for file in files:
        if pattern.search(file.text):
            for number, line in enumerate(file.text.splitlines(), 1):
                if found := pattern.search(line):
                    yield file.says(number, f"{found.group()!r}: {what}")


RULES = (
    arrows,
    homes,
    light_write_path,
    cycles,
    dead_modules,
    sizes,
    docstrings,
    names,
    notes,
)
"""Rules over Python sources."""
FILE_RULES = (machine_paths, registries)
"""Rules over every text file."""
