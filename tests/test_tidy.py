"""The house style as a test: properties of the source itself, each finding with file and line."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests import tidy
from tests.tidy import PACKAGE, Source

REPOSITORY = Path(__file__).parent.parent
LEFT_BY_TOOLS = {"__pycache__", "build", "dist"}
Rule = Callable[[Iterable[Source]], Iterator[str]]


def _paths() -> list[str]:
    """Every file that is, or would be, under version control."""
    git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY)]
    listing = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (REPOSITORY / ".git").exists() and shutil.which("git"):
        found = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
        return sorted(path for path in found.split("\0") if (REPOSITORY / path).is_file())
    found = [path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*") if path.is_file()]
    return sorted(
        path.as_posix()
        for path in found
        if not LEFT_BY_TOOLS & set(path.parts)
        and (path.parts[0] == ".ci" or not path.parts[0].startswith("."))
    )


def _files() -> list[Source]:
    files = []
    for path in _paths():
        try:
            files.append(Source(path, (REPOSITORY / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # binary
    return files


FILES = _files()
SOURCES = [file for file in FILES if file.path.endswith(".py")]


@pytest.mark.requirement(
    "spine:repo:tidy", "spine:repo:rooms", "000:layout:package", "001:arch:separation"
)
@pytest.mark.parametrize("rule", tidy.RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    findings = list(rule(SOURCES))
    assert not findings, "\n".join([rule.__doc__ or "", *findings])


@pytest.mark.parametrize("rule", tidy.FILE_RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    findings = list(rule(FILES))
    assert not findings, "\n".join([rule.__doc__ or "", *findings])


def test_every_room_is_in_use() -> None:
    empty = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / PACKAGE).iterdir()
        if path.is_dir() and path.name not in {"__pycache__", "_data"} and not list(path.glob("*"))
    ]
    assert empty == []


@pytest.mark.requirement("spine:record:imports-nothing-heavy")
@pytest.mark.parametrize("first", ["", "mcp.server.mcpserver"], ids=["alone", "in-an-mcp-server"])
def test_a_monitored_process_loads_nothing_heavy(first: str) -> None:
    """In a process of its own: what each module of the write path adds to what is loaded."""
    beside = tidy.SDK if first else frozenset()
    modules = [f"{PACKAGE}.{name}" for name, sdk in tidy.WRITE_PATH.items() if sdk == beside]
    program = f"""
import importlib, sys
if {first!r}:
    importlib.import_module({first!r})
before = set(sys.modules)
for name in {modules!r}:
    importlib.import_module(name)
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=REPOSITORY
    )
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) - tidy.LIGHT - beside == {PACKAGE}


NOTE, FOLDER, HOME, HOST = (
    text.replace(" ", "") for text in ("TO DO", "/t mp", "/h ome/ada", "pypi .org")
)
"""Spelt apart, so that this file keeps the rules too."""
TOO_LONG = '"""Doc."""\ndef long():\n    """Doc."""\n' + "    pass\n" * 49
WRONG: list[tuple[Rule, dict[str, str], str]] = [
    (
        tidy.arrows,
        {"core/a.py": "import contextframe_monitoring.store.b", "store/b.py": ""},
        "core/a.py:1: core (floor 1) must not import contextframe_monitoring.store.b (floor 2)",
    ),
    (
        tidy.arrows,
        {"query/a.py": "\nfrom contextframe_monitoring.ingest import b", "ingest/b.py": ""},
        "query/a.py:2: query (floor 3) must not import contextframe_monitoring.ingest.b (floor 3)",
    ),
    (
        tidy.arrows,
        {"core/a.py": "from contextframe_monitoring import Monitor", "__init__.py": ""},
        "core/a.py:1: core (floor 1) must not import contextframe_monitoring.Monitor (floor 10)",
    ),
    (
        tidy.arrows,
        {"lounge/a.py": ""},
        "lounge/a.py:1: room 'lounge' has no floor: give it one in tests/tidy.py",
    ),
    (
        tidy.homes,
        {"mcp/a.py": "def late():\n    import sqlalchemy.orm"},
        "mcp/a.py:2: sqlalchemy belongs to logs and store",
    ),
    (tidy.homes, {"core/a.py": "import requests"}, "core/a.py:1: requests has no home"),
    (tidy.homes, {"core/a.py": "from . import b"}, "core/a.py:1: relative import of '..b'"),
    (
        tidy.light_write_path,
        {
            "ingest/recorder.py": "from contextframe_monitoring.store.spool import b",
            "store/__init__.py": "import pyarrow as pa",
            "store/spool/b.py": "",
        },
        "store/__init__.py:1: ingest.recorder would load pyarrow",
    ),
    (
        tidy.cycles,
        {
            "core/a.py": "from contextframe_monitoring.core.b import c",
            "core/b.py": "def late():\n    from contextframe_monitoring.core import a",
        },
        "import cycle contextframe_monitoring.core.",
    ),
    (tidy.dead_modules, {"core/a.py": ""}, "core/a.py:1: nothing in the package imports it"),
    (tidy.sizes, {"core/a.py": "pass\n" * 401}, "core/a.py:401: 401 lines: split it by noun"),
    (tidy.sizes, {"core/a.py": "# " + "a" * 99}, "core/a.py:1: 101 columns"),
    (tidy.sizes, {"core/a.py": TOO_LONG}, "core/a.py:2: long has 51 lines"),
    (tidy.docstrings, {"core/a.py": "a = 1"}, "core/a.py:1: the module has no docstring"),
    (
        tidy.docstrings,
        {"core/a.py": '"""Doc."""\nclass A:\n    """Doc."""\n    def do(self): pass'},
        "core/a.py:4: do has no docstring",
    ),
    (tidy.names, {"core/text_utils.py": ""}, "core/text_utils.py:1: 'text_utils' says nothing"),
    (tidy.notes, {"core/a.py": f"a = 1  # {NOTE}"}, f"core/a.py:1: '{NOTE}': finish it"),
    (tidy.machine_paths, {"core/a.py": f"a = '{FOLDER}/b'"}, f"core/a.py:1: '{FOLDER}': a machine"),
    (tidy.machine_paths, {"core/a.py": f"# {HOME}/b"}, f"core/a.py:1: '{HOME}': a machine's path"),
    (tidy.registries, {"core/a.py": f"# https://{HOST}/b"}, f"core/a.py:1: '{HOST}': a registry"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "files", "finding"), WRONG, ids=[f"{w[0].__name__}-{n}" for n, w in enumerate(WRONG)]
)
def test_a_broken_rule_is_found_with_its_line(
    rule: Rule, files: dict[str, str], finding: str
) -> None:
    sources = [Source(f"{PACKAGE}/{path}", text) for path, text in files.items()]
    assert re.search(re.escape(finding), "\n".join(rule(sources)))


FINE: list[tuple[Rule, dict[str, str]]] = [
    (tidy.arrows, {"store/a.py": "import contextframe_monitoring.core.b", "core/b.py": ""}),
    (tidy.homes, {"store/a.py": "import sqlalchemy, msgspec, os"}),
    (tidy.homes, {"mcp/a.py": "if TYPE_CHECKING:\n    import sqlalchemy"}),
    (tidy.dead_modules, {"cli.py": "a = 'contextframe_monitoring.core.b:C'", "core/b.py": "",
                         "__main__.py": "import contextframe_monitoring.cli"}),
    (tidy.dead_modules, {"__main__.py": "f'contextframe_monitoring.bench.{name}'",
                         "bench/a.py": ""}),
    (tidy.dead_modules, {"__main__.py": "import contextframe_monitoring.bench.a", "bench/b.py": "",
                         "bench/a.py": "b = 'b.py'"}),
    (tidy.machine_paths, {"core/a.py": "# src/tmp/b https://a.org/tmp ~/work /tmpfs /home/me/a"}),
    (tidy.names, {"core/base_prices.py": ""}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "files"), FINE, ids=[f"{f[0].__name__}-{n}" for n, f in enumerate(FINE)]
)
def test_what_keeps_the_rule_is_left_alone(rule: Rule, files: dict[str, str]) -> None:
    sources = [Source(f"{PACKAGE}/{path}", text) for path, text in files.items()]
    assert list(rule(sources)) == []


def test_a_late_import_is_allowed_on_the_write_path() -> None:
    late = "def now():\n    import pyarrow\nif TYPE_CHECKING:\n    import numpy\n"
    findings = tidy.light_write_path([Source(f"{PACKAGE}/ingest/recorder.py", late)])
    assert not [finding for finding in findings if "ingest/recorder.py" in finding]
