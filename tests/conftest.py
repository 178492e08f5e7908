"""What all tests share: one anyio backend, the shared data, a user of their own, honest skips."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

REPOSITORY = Path(__file__).parent.parent
SETTINGS_PREFIX = "CONTEXTFRAME_MONITORING_"
HOMES = {
    "HOME": "",
    "USERPROFILE": "",
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
}
"""Variables that lead to a user's folders -> where they point to below the home of a test."""

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

SKIPS_ALLOWED_IN_CI: dict[str, str] = {}
"""Start of a test's id -> why it may be skipped in CI. Any other skip fails the run there."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared input data: beside the checkout, or where CONTEXTFRAME_SHARED says."""
    shared = Path(os.environ.get("CONTEXTFRAME_SHARED") or REPOSITORY.parent / "shared")
    if not (shared / "data").is_dir():
        pytest.skip(f"no shared data in {shared}: set CONTEXTFRAME_SHARED to the folder above data")
    return shared / "data"


def _become_nobody(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let the process be a user who never set anything, at home in `home`."""
    for name in list(os.environ):
        if name.startswith((SETTINGS_PREFIX, "XDG_")):
            patch.delenv(name)
    for name, folder in HOMES.items():
        patch.setenv(name, str(home / folder))


@pytest.fixture(scope="session", autouse=True)
def _session_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what is made once for many tests."""
    with pytest.MonkeyPatch.context() as patch:
        _become_nobody(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def _user(
    _session_user: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test sees the store, the settings or the clients of whoever runs it, or another test's."""
    _become_nobody(monkeypatch, tmp_path_factory.mktemp("home"))


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


def _allowed(node_id: str) -> bool:
    return node_id.startswith(tuple(SKIPS_ALLOWED_IN_CI))


def _honest(report: Report) -> Report:
    """Turn a skip (or an expected failure) that CI does not allow into a failure."""
    if report.skipped and _in_ci() and not _allowed(report.nodeid):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{why}\nNothing may be skipped in CI but what SKIPS_ALLOWED_IN_CI names."
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _honest((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _honest((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _in_ci():
        for start, why in SKIPS_ALLOWED_IN_CI.items():
            terminalreporter.write_line(f"may be skipped in CI: {start}: {why}")
