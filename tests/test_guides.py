"""The guides are true: configurations load, commands are understood, and what they show is said."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.errors import UnknownKeyError
from contextframe_monitoring.core.signals import SIGNALS
from contextframe_monitoring.store.settings import load_config
from tests.alerts.scene import Scene
from tests.cli.command import run
from tests.cli.test_help import NAME, understood
from tests.export.stores import Filled, operation

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
REFUSED, SESSION = "<!-- refused -->\n", "<!-- session -->\n"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def block_after(page: str, mark: str) -> str:
    """Return the block that follows a mark."""
    [found] = re.findall(rf"{mark}```\w*\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path / "filled")


TABLES = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "toml"), 1)
    if REFUSED + "```toml\n" + block not in PAGES[page]
]


@pytest.mark.requirement("000:dod:docs-guides", "alerts:guides:run")
@pytest.mark.parametrize("block", TABLES)
def test_every_configuration_of_the_guides_loads(tmp_path: Path, block: str) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(block)
    assert load_config(str(file), {}) != load_config(None, {})


def commands(page: str) -> list[str]:
    shown = [line[2:] for block in blocks(page, "console") for line in block.splitlines()]
    return [line for line in shown if line.startswith(f"{NAME} ")] + [
        line for line in re.findall(r"`([^`\n]+)`", PAGES[page]) if line.startswith(f"{NAME} ")
    ]


@pytest.mark.requirement("alerts:guides:run")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_guide_is_understood(page: str) -> None:
    assert [line for line in commands(page) if not understood(line)] == []


def test_the_guides_link_to_files_that_are_there_and_the_readme_to_every_guide() -> None:
    places = [place for page in PAGES.values() for place in re.findall(r"\]\(([^)#:]+)\)", page)]
    assert [place for place in places if not (DOCS / place).exists()] == []
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert [page for page in PAGES if f"(docs/{page}.md)" not in readme] == []


def plain(text: str) -> list[str]:
    """Return what was printed, without what differs from run to run, and without widths."""
    text = re.sub(r"a-[0-9a-f]{16}", "a-ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    return " ".join(text.split()).split(" ")


@pytest.mark.requirement("alerts:guides:run")
def test_the_life_of_an_alert_is_what_the_guide_shows(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(blocks("alerts", "toml")[0])
    scene = Scene(tmp_path, *load_config(str(file), {}).alert_rules)
    scene.call(10, target="charge")
    scene.call(10, target="charge", status="error", error_type="TimeoutError")
    scene.tick()
    [alert] = scene.alerts()
    for part in block_after("alerts", SESSION).split(f"$ {NAME} ")[1:]:
        line, _, shown = part.partition("\n")
        line = re.sub(r"a-[0-9a-f]{16}", alert.alert_id, line)
        ended = run(*shlex.split(line), "--store", scene.store.uri)
        assert (plain(ended.stdout), ended.stderr) == (plain(shown), "")


def test_the_rule_files_commands_do_what_the_guide_says(tmp_path: Path) -> None:
    (tmp_path / "monitoring.toml").write_text(blocks("alerts", "toml")[0])
    (tmp_path / "rules.toml").write_text(blocks("alerts", "toml")[0].partition("[channels")[0])
    lines = [line for line in commands("alerts") if " rules " in line and "--" not in line]
    assert len(lines) == 5
    for line in lines:
        words = [word.replace("rules.toml", str(tmp_path / "rules.toml")) for word in
                 shlex.split(line)[1:]]  # fmt: skip
        words = [w.replace("monitoring.toml", str(tmp_path / "rules.toml")) for w in words]
        store = [] if "validate" in words else ["--store", str(tmp_path / "store")]
        ended = run(*words, *store)
        assert (ended.returncode, ended.stderr) == (0, ""), line


def test_the_guide_names_every_signal() -> None:
    assert [name for name in SIGNALS if f"| `{name}` |" not in PAGES["alerts"]] == []


async def test_an_application_raises_the_alert_of_the_guide(tmp_path: Path) -> None:
    program: dict[str, Any] = {}
    exec(blocks("alerts", "python")[0], program)
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False) as monitor:
        await program["sold"](monitor, 12)
        await program["sold"](monitor, 3)
        [alert] = (await monitor.alerts.get_alerts()).alerts
    assert (alert.rule, alert.severity, alert.actual_value) == ("stock_low", "error", 3)


def test_file_and_environment_say_the_same_and_the_later_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(blocks("configuration", "toml")[0])
    lines = blocks("configuration", "sh")[0].splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    from_file = load_config(str(file), {})
    assert load_config(None, environment) == from_file
    named = {"CONTEXTFRAME_MONITORING_CONFIG": str(file)}
    assert load_config(None, named) == from_file
    other = {**named, "CONTEXTFRAME_MONITORING_SERVER": "till"}
    assert load_config(None, other).server == "till"
    assert load_config(None, other, server="desk").server == "desk"


def test_a_wrong_key_is_said_as_the_guide_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("monitoring.toml").write_text(block_after("configuration", REFUSED))
    with pytest.raises(UnknownKeyError) as caught:
        load_config("monitoring.toml", {})
    assert f"{caught.value}\n" == blocks("configuration", "")[0]


@pytest.mark.requirement("export:guides:run")
def test_the_files_of_the_guide_are_written(
    tmp_path: Path, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.drain(operation())
    monkeypatch.chdir(tmp_path)
    for line in blocks("exports", "console")[0].splitlines():
        ended = run(*shlex.split(line)[2:], "--store", filled.store.uri)
        assert ended.returncode == 0, (line, ended.stderr)
    written = {"rows.parquet", "days.csv", "costs.csv"}
    assert {path.name for path in tmp_path.iterdir()} >= written


@pytest.mark.requirement("export:guides:run")
def test_the_exporter_of_the_guide_exports(
    tmp_path: Path, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "guide-1.dist-info").mkdir(parents=True)
    (site / "exporter_of_the_guide.py").write_text(blocks("exports", "python")[0])
    (site / "guide-1.dist-info/METADATA").write_text("Name: guide\n")
    (site / "guide-1.dist-info/entry_points.txt").write_text(
        "[contextframe_monitoring.exporters]\nlines = exporter_of_the_guide:Lines\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "exporter_of_the_guide", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("monitoring.toml").write_text(blocks("exports", "toml")[-1])
    filled.drain(operation())
    store = ("--config", "monitoring.toml", "--store", filled.store.uri)
    ended = run("export", "--to", "lines", *store)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert Path("metrics.txt").read_text().startswith("mcp")
    listed = run("export", "--list-targets", *store)
    assert listed.stdout.startswith("lines (plugin) is ok, ")


@pytest.mark.requirement("export:guides:run")
def test_the_program_of_the_guide_writes_the_line_that_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.log"
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_SERVER", "shop")
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_LOGGING__FILE", str(file))
    exec(blocks("logging", "python")[0], {})
    first = json.loads(file.read_text().splitlines()[0])
    shown = json.loads(blocks("logging", "json")[0])
    assert {**first, "timestamp": shown["timestamp"]} == shown
