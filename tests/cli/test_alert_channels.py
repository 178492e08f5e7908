"""`alerts channels` and `alerts test`: where notifications go, and whether they arrive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.notification_log import ChannelHealth, NotificationLog
from contextframe_monitoring.store.store import Store
from tests.alerts.sinks import Answer, http_sink, smtp_sink
from tests.cli.command import run
from tests.core.delivered import made_alert
from tests.processes import started, until


def config_file(folder: Path, text: str) -> str:
    path = folder / "monitoring.toml"
    path.write_text(f'store = "{folder / "store"}"\n{text}')
    return str(path)


HOOK = """
[channels.hook]
type = "webhook"
url = { env = "HOOK_URL" }
signing_key = { env = "HOOK_KEY" }
fallback = "wall"
[channels.wall]
type = "dashboard"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    return config_file(tmp_path, HOOK)


@pytest.mark.requirement("alerts:told:trial")
def test_a_test_notification_goes_out_and_is_noted(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = NotificationLog(Store(str(tmp_path / "store")).create())
    log.put_health(ChannelHealth(channel="hook", failures=9, down=True, retry_us=2**60))
    with http_sink() as sink:
        monkeypatch.setenv("HOOK_URL", f"{sink.url}/secret-path")
        monkeypatch.setenv("HOOK_KEY", "shared-key")
        ended = run("alerts", "test", "hook", "--config", config)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "channel hook took it\n", "")
    assert [got.json["kind"] for got in sink.got] == ["test"]
    health = log.health()["hook"]
    assert (health.failures, health.down, health.retry_us) == (0, False, None)
    [noted] = log.last()
    assert (noted.outcome, noted.problem) == ("test", None)


@pytest.mark.requirement("alerts:told:secrets")
def test_what_fails_is_one_line_without_a_secret(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_sink(Answer(500, "secret-path is no good")) as sink:
        monkeypatch.setenv("HOOK_URL", f"{sink.url}/secret-path")
        monkeypatch.setenv("HOOK_KEY", "shared-key")
        ended = run("alerts", "test", "hook", "--config", config)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        1,
        "",
        "contextframe-monitoring: HTTP 500: [masked] is no good\n",
    )


def test_a_recipient_that_is_refused_is_a_finding(tmp_path: Path) -> None:
    with smtp_sink() as mail:
        mail.refused["b@example.org"] = "550 no"
        config = config_file(
            tmp_path,
            '[channels.mail]\ntype = "email"\nhost = "127.0.0.1"\nsecurity = "none"\n'
            f'port = {mail.port}\nsender = "m@example.org"\n'
            'recipients = ["a@example.org", "b@example.org"]\n',
        )
        ended = run("alerts", "test", "mail", "--config", config)
    assert (ended.returncode, ended.stdout) == (
        1,
        "channel mail took it\nb@example.org is refused: 550 no\n",
    )


def test_an_unknown_channel_is_refused_with_those_that_are_known(config: str) -> None:
    ended = run("alerts", "test", "hok", "--config", config)
    assert (ended.returncode, ended.stderr) == (
        2,
        "contextframe-monitoring: channel 'hok' does not exist: the configuration has hook, wall\n",
    )


def test_channels_are_listed_with_what_is_wrong(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (tmp_path / "store").exists()
    ended = run("alerts", "channels", "--config", config, "--json")
    assert ended.returncode == 1
    hook, wall = json.loads(ended.stdout)
    missing = (
        "channels.hook.url: the variable HOOK_URL is not set;"
        " channels.hook.signing_key: the variable HOOK_KEY is not set"
    )
    assert (hook["state"], hook["problem"]) == ("incomplete", missing)
    assert wall == {
        "name": "wall",
        "type": "dashboard",
        "state": "untried",
        "min_severity": "info",
        "fallback": None,
        "sent_last_hour": 0,
        "last_sent_at": None,
        "last_failed_at": None,
        "retry_at": None,
        "problem": None,
    }
    assert not (tmp_path / "store").exists()
    monkeypatch.setenv("HOOK_URL", "https://hooks.example.org/x")
    monkeypatch.setenv("HOOK_KEY", "shared-key")
    log = NotificationLog(Store(str(tmp_path / "store")).create())
    log.put_health(ChannelHealth(channel="hook", failures=5, down=True, problem="HTTP 500"))
    ended = run("alerts", "channels", "--config", config)
    assert ended.returncode == 1
    assert [line.split() for line in ended.stdout.splitlines()] == [
        ["channel", "type", "state", "from", "last", "sent", "fallback"],
        ["hook", "webhook", "down", "info", "-", "wall"],
        ["wall", "dashboard", "untried", "info", "-", "-"],
        ["hook:", "HTTP", "500"],
    ]


def test_doctor_says_which_channels_are_well_and_which_are_not(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", "https://hooks.example.org/x")
    Store(str(tmp_path / "store")).create()
    report = json.loads(run("doctor", "--config", config, "--json").stdout)
    assert [one["says"] for one in report["facts"] if one["check"] == "channels"] == ["wall"]
    [symptom] = [one for one in report["findings"] if one["check"] == "channels"]
    assert (symptom["problem"], symptom["remedy"]) == (
        "channel hook is incomplete: channels.hook.signing_key: the variable HOOK_KEY is not set",
        "correct it, then: contextframe-monitoring alerts test hook",
    )


def test_without_channels_it_says_so(tmp_path: Path) -> None:
    ended = run("alerts", "channels", "--config", config_file(tmp_path, ""))
    assert (ended.returncode, ended.stdout) == (
        0,
        "no channel is configured: add a table [channels.NAME]\n",
    )


def test_the_keeper_tells_channels_of_what_fires(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it, with a real keeper: an alert in the book is a post, its end another."""
    with http_sink() as sink:
        Path(config).write_text(Path(config).read_text() + "[alerts]\ngroup_wait_seconds = 0\n")
        monkeypatch.setenv("HOOK_URL", sink.url)
        monkeypatch.setenv("HOOK_KEY", "shared-key")
        book = AlertBook(Store(str(tmp_path / "store")).create())
        now_us = SystemClock().now_us()
        book.put([made_alert("a", fired_us=now_us)])
        with started("keep", "--config", config):
            until(lambda: len(sink.got) == 1)
            book.put([made_alert("a", state="resolved", resolved_us=now_us)])
            until(lambda: len(sink.got) == 2)
    assert [got.json["kind"] for got in sink.got] == ["firing", "resolved"]
