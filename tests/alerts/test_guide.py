"""docs/notifications.md is true: its configurations load, its programs run, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.store.settings import load_config
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import http_sink
from tests.cli.test_help import understood

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.requirement("000:dod:docs-guides")
@pytest.mark.parametrize("block", blocks("toml"), ids=["channels", "who is told", "plug-in"])
def test_every_configuration_of_the_guide_loads(tmp_path: Path, block: str) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(block)
    assert load_config(str(file), {}).channels


def test_the_receiver_of_the_guide_accepts_what_is_ours_once() -> None:
    program: dict[str, Any] = {}
    exec(blocks("python")[0], program)
    with http_sink() as sink:
        table = {"type": "webhook", "url": sink.url, "signing_key": {"env": "KEY"}}
        notifier(table, {"KEY": "shared-key"}).send(notification())
    [got] = sink.got
    seen = set[str]()
    accepted = [
        program["accepted"](got.headers, got.body, "shared-key", seen),
        program["accepted"](got.headers, got.body, "shared-key", seen),
        program["accepted"](got.headers, got.body, "other-key", set()),
        program["accepted"](got.headers, got.body + b" ", "shared-key", set()),
    ]
    assert accepted == [True, False, False, False]


def test_the_plug_in_of_the_guide_takes_a_notification(capsys: pytest.CaptureFixture[str]) -> None:
    program: dict[str, Any] = {}
    exec(blocks("python")[1], program)
    program["Matrix"](room="#ops", token="t").send(notification())
    assert capsys.readouterr().out == f"#ops {notification().title}\n"


def test_the_commands_of_the_guide_exist() -> None:
    lines = re.findall(r"`(contextframe-monitoring [^`]+)`", TEXT)
    assert [understood(line) for line in lines] == [("alerts", "channels"), ("alerts", "test")]
