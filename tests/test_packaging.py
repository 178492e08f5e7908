"""The wheel: built once, without a network, and looked into."""

import email
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.tidy import PACKAGE

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as an installer lays it out."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    run = subprocess.run(build, check=False, capture_output=True, text=True, cwd=REPOSITORY)
    assert run.returncode == 0, run.stderr
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == f"{PACKAGE}-{PROJECT['version']}-py3-none-any.whl"
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def _texts(folder: Path, pattern: str = "*") -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def _run(site: Path, program: str, cwd: Path) -> str:
    """Run a program with the unpacked wheel, far from the checkout and its coverage."""
    mine = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**mine, "PYTHONPATH": str(site)},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_wheel_holds_the_package_its_data_and_nothing_else(unpacked: Path) -> None:
    source = {
        name
        for name in _texts(REPOSITORY / PACKAGE)
        if name.endswith((".py", ".typed", ".toml")) and not name.startswith("_data/")
    }
    data = {f"_data/{kind}/{name}" for kind in ("pricing", "schemas")
            for name in _texts(REPOSITORY / kind)}  # fmt: skip
    assert set(_texts(unpacked / PACKAGE)) == source | data
    assert "py.typed" in source
    info = f"{PACKAGE}-{PROJECT['version']}.dist-info"
    assert {path.name for path in unpacked.iterdir()} == {PACKAGE, info}


@pytest.mark.requirement("spine:repo:wheel-data", "spine:tables:schemas")
@pytest.mark.parametrize("kind", ["pricing", "schemas"])
def test_the_data_of_the_wheel_is_that_of_the_repository(unpacked: Path, kind: str) -> None:
    ours = _texts(REPOSITORY / kind)
    assert ours
    assert _texts(unpacked / PACKAGE / "_data" / kind) == ours


PRICED = f"""
from {PACKAGE}.store.catalogue import Catalogue, shipped_folder
print(shipped_folder(), bool(Catalogue().status()["files"]))
"""


@pytest.mark.requirement("spine:repo:wheel-data")
def test_the_package_finds_its_prices_in_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    folder = unpacked / PACKAGE / "_data" / "pricing"
    assert _run(unpacked, PRICED, tmp_path) == f"{folder} True\n"


@pytest.mark.requirement("spine:repo:editable-data")
def test_the_package_finds_its_prices_in_a_checkout(tmp_path: Path) -> None:
    assert _run(REPOSITORY, PRICED, tmp_path) == f"{REPOSITORY / 'pricing'} True\n"


@pytest.mark.requirement("001:test:imports")
def test_every_module_of_the_wheel_imports_without_a_warning(
    unpacked: Path, tmp_path: Path
) -> None:
    modules = sorted(
        ".".join(path.relative_to(unpacked).with_suffix("").parts).removesuffix(".__init__")
        for path in (unpacked / PACKAGE).rglob("*.py")
    )
    program = f"""
import importlib, {PACKAGE} as package
for name in {modules!r}:
    importlib.import_module(name)
for name in package.__all__:
    getattr(package, name)
print(package.__file__)
"""
    assert _run(unpacked, program, tmp_path) == f"{unpacked / PACKAGE / '__init__.py'}\n"


def test_the_wheel_says_what_it_is(unpacked: Path) -> None:
    info = unpacked / f"{PACKAGE}-{PROJECT['version']}.dist-info"
    said = email.message_from_string((info / "METADATA").read_text(encoding="utf-8"))
    assert (said["Name"], said["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert (said["License-Expression"], said["Requires-Python"]) == ("MIT", ">=3.11")
    assert said.get_payload() == (REPOSITORY / "README.md").read_text(encoding="utf-8")
    needed = {line.partition(" ")[0].partition(";")[0] for line in said.get_all("Requires-Dist")}
    assert {line.partition(">")[0] for line in PROJECT["dependencies"]} <= {
        line.partition("<")[0].partition(">")[0].partition("=")[0] for line in needed
    }
    assert (info / "licenses" / "LICENSE").read_text() == (REPOSITORY / "LICENSE").read_text()
    entry = "[console_scripts]\ncontextframe-monitoring = contextframe_monitoring.__main__:main\n"
    assert (info / "entry_points.txt").read_text() == entry


def test_the_installed_command_answers(unpacked: Path, tmp_path: Path) -> None:
    help_ = f"import sys\nsys.argv = ['x', '--help']\nfrom {PACKAGE}.__main__ import main\nmain()"
    assert "Usage:" in _run(unpacked, help_, tmp_path)


@pytest.mark.requirement("spine:tables:schemas")
def test_the_published_schemas_are_what_the_code_makes(tmp_path: Path) -> None:
    make = [sys.executable, "-m", f"{PACKAGE}.store.schemas", str(tmp_path / "schemas")]
    subprocess.run(make, check=True, cwd=REPOSITORY)
    assert _texts(REPOSITORY / "schemas") == _texts(tmp_path / "schemas")
