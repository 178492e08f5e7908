"""The ground that all tests stand on, tried in runs of their own."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import anyio.lowlevel
import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
NO_SKIPS = "SKIPS_ALLOWED_IN_CI: dict[str, str] = {}"


def _run(folder: Path, tests: str, allowed: str = "{}", **environ: str) -> tuple[int, str]:
    """Run tests under our conftest; give the exit code and what was printed."""
    conftest = CONFTEST.read_text(encoding="utf-8")
    assert NO_SKIPS in conftest
    (folder / "conftest.py").write_text(conftest.replace(NO_SKIPS, NO_SKIPS[:-2] + allowed))
    (folder / "test_it.py").write_text(tests)
    mine = {name: text for name, text in os.environ.items() if name != "CI"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_it.py"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**mine, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ},
    )
    return run.returncode, run.stdout + run.stderr


SKIPS = """
import pytest

@pytest.mark.skip(reason="no promtool")
def test_marked(): ...

def test_late():
    pytest.skip("no disk")

@pytest.mark.xfail(reason="known bug")
def test_expected(): assert False
"""


def test_a_skip_is_a_skip_at_home(tmp_path: Path) -> None:
    code, said = _run(tmp_path, SKIPS)
    assert (code, said.splitlines()[-1].partition(" in ")[0]) == (0, "2 skipped, 1 xfailed")


@pytest.mark.requirement("001:test:report-honesty")
def test_a_skip_fails_the_run_in_ci_and_says_why(tmp_path: Path) -> None:
    code, said = _run(tmp_path, SKIPS, CI="true")
    assert (code, said.splitlines()[-1].partition(" in ")[0]) == (1, "2 failed, 1 error")
    for why in ("no promtool", "no disk", "known bug"):
        assert why in said
    assert "Nothing may be skipped in CI" in said


@pytest.mark.requirement("001:test:report-honesty")
def test_a_module_that_skips_itself_fails_the_run_in_ci(tmp_path: Path) -> None:
    code, said = _run(tmp_path, "import pytest\npytest.importorskip('no_such_thing')", CI="true")
    assert (code, said.splitlines()[-1].partition(" in ")[0]) == (2, "1 error")
    assert "no_such_thing" in said


def test_an_allowed_skip_is_printed_with_its_reason(tmp_path: Path) -> None:
    allowed = '{"test_it.py::": "they stand for Windows"}'
    code, said = _run(tmp_path, SKIPS, allowed, CI="true")
    assert (code, said.splitlines()[-1].partition(" in ")[0]) == (0, "2 skipped, 1 xfailed")
    assert "may be skipped in CI: test_it.py::: they stand for Windows" in said


def test_no_test_sees_the_settings_or_the_home_of_its_user(tmp_path: Path) -> None:
    tests = """
import os, pathlib, platformdirs, pytest

@pytest.fixture(scope="module", autouse=True)
def made_once():
    assert not [name for name in os.environ if name.startswith(("CONTEXTFRAME_M", "XDG_"))]
    return os.environ["HOME"]

@pytest.mark.parametrize("again", [1, 2])
def test_fresh(again, made_once, tmp_path):
    home = pathlib.Path(os.environ["HOME"])
    assert str(home) != made_once and list(home.iterdir()) == []
    assert tmp_path.parent == home.parent
    for folder in (platformdirs.user_data_dir("a"), platformdirs.user_state_dir("a")):
        assert pathlib.Path(folder).is_relative_to(home)
    (home / "left").touch()
"""
    environ = {"CONTEXTFRAME_MONITORING_STORE": "s3://real", "XDG_DATA_HOME": str(tmp_path)}
    code, said = _run(tmp_path, tests, **environ)
    assert code == 0, said


def test_the_shared_data_is_where_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "data").mkdir(parents=True)
    tests = "def test_it(shared_data): assert shared_data.parts[-2:] == ('elsewhere', 'data')"
    assert _run(tmp_path, tests, CONTEXTFRAME_SHARED=str(tmp_path / "elsewhere"))[0] == 0
    code, said = _run(tmp_path, tests, CONTEXTFRAME_SHARED=str(tmp_path / "nowhere"))
    assert code == 0
    assert "set CONTEXTFRAME_SHARED to the folder above data" in said
    assert _run(tmp_path, tests, CONTEXTFRAME_SHARED=str(tmp_path / "nowhere"), CI="true")[0] == 1


@pytest.mark.requirement("001:test:async-runs", "004:test:pytest")
async def test_async_tests_run_on_a_loop() -> None:
    await anyio.lowlevel.checkpoint()
    assert asyncio.get_running_loop().is_running()
