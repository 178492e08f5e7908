"""`alerts` through the command: what a person sees and does."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.rule_set import default_rules_text
from contextframe_monitoring.store.store import Store
from tests.alerts.scene import Scene
from tests.cli.command import run

RULE = {"name": "HighCost", "signal": "cost", "threshold": 100, "window": "1h"}


def firing(tmp_path: Path) -> tuple[str, str]:
    """Return store and id of one alert that fires."""
    scene = Scene(tmp_path, RULE)
    scene.spend(150.0)
    scene.tick()
    [alert] = scene.alerts()
    return scene.store.uri, alert.alert_id


def test_a_store_that_was_never_evaluated_says_so(tmp_path: Path) -> None:
    found = run("alerts", "list", "--store", str(tmp_path / "none"))
    assert (found.returncode, found.stdout) == (
        0,
        "active: none\nno rule was evaluated yet: a keeper does it (serve, or keep)\n",
    )


@pytest.mark.requirement("alerts:life:acts")
def test_the_life_of_an_alert_through_the_command(tmp_path: Path) -> None:
    store, alert_id = firing(tmp_path)
    listed = run("alerts", "list", "--store", store, "--json")
    [row] = json.loads(listed.stdout)["alerts"]
    assert (listed.returncode, row["id"], row["status"], row["type"]) == (
        1, alert_id, "active", "cost",
    )  # fmt: skip
    line = "HighCost: cost of the last 1h is 150 USD, above 100 USD\n"
    taken = run("alerts", "ack", alert_id, "--as", "ada", "-m", "mine", "--store", store)
    assert taken.stdout == f"{alert_id} firing, taken on by ada: {line}"
    over = run("alerts", "resolve", alert_id, "--as", "ada", "--store", store)
    assert over.stdout == f"{alert_id} resolved, taken on by ada: {line}"
    again = run("alerts", "resolve", alert_id, "--store", store)
    assert (again.returncode, again.stderr) == (
        1,
        f"contextframe-monitoring: alert {alert_id} is resolved: there is nothing to resolve\n",
    )
    assert run("alerts", "list", "--store", store).returncode == 0
    back = run("alerts", "reopen", alert_id, "--as", "ada", "--store", store)
    assert back.stdout == f"{alert_id} firing: {line}"
    said = run("alerts", "comment", alert_id, "see runbook", "--as", "ada", "--store", store)
    assert said.returncode == 0


def test_an_alert_that_does_not_exist_is_named(tmp_path: Path) -> None:
    store, _ = firing(tmp_path)
    found = run("alerts", "ack", "a-nothing", "--store", store)
    assert (found.returncode, found.stderr) == (
        2,
        "contextframe-monitoring: alert 'a-nothing' does not exist: see `alerts list --status "
        "all`\n",
    )


@pytest.mark.requirement("alerts:life:silences")
def test_a_silence_is_made_listed_and_ended(tmp_path: Path) -> None:
    store, _ = firing(tmp_path)
    made = run(
        "alerts", "silence", "rule=High*", "--for", "2h", "-m", "migration", "--as", "ada",
        "--from", "2199-01-01T00:00:00", "--store", store, "--json",
    )  # fmt: skip
    [silence] = json.loads(made.stdout)
    listed = run("alerts", "silence", "--store", store)
    assert listed.stdout == (
        f"{silence['silence_id']} rule=High*: 2199-01-01T00:00:00+00:00 to "
        "2199-01-01T02:00:00+00:00, by ada: migration\n"
    )
    ended = run("alerts", "silence", "--end", silence["silence_id"], "--store", store)
    assert ended.stdout == f"{silence['silence_id']} has ended\n"
    assert run("alerts", "silence", "--store", store).stdout == "nothing is silent\n"


@pytest.mark.requirement("alerts:rules:defaults")
def test_the_default_rules_are_shown_as_toml_as_they_are(tmp_path: Path) -> None:
    assert run("alerts", "rules", "--defaults").stdout == default_rules_text()
    written = run("alerts", "rules", "--format", "toml", "--store", str(tmp_path / "s")).stdout
    names = [table["name"] for table in tomllib.loads(written)["alert_rules"]]
    assert names == [
        "api_error_rate", "high_daily_cost", "monitoring_drain_lag", "monitoring_export_failing",
        "monitoring_records_lost", "monitoring_rule_problem", "slow_response",
    ]  # fmt: skip


@pytest.mark.requirement("alerts:rules:command")
def test_rules_are_made_changed_switched_and_taken_away(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    file = tmp_path / "rules.toml"
    file.write_text('[[alert_rules]]\nname = "Mine"\nsignal = "cost"\nthreshold = 5\n')
    assert run("alerts", "rules", "validate", str(file)).stdout == "1 rule(s) are good\n"
    assert run("alerts", "rules", "create", str(file), *store).stdout == "Mine is made\n"
    twice = run("alerts", "rules", "create", str(file), *store)
    assert (twice.returncode, twice.stderr) == (
        1,
        "contextframe-monitoring: alert rule 'Mine' exists already: update it instead\n",
    )
    run("alerts", "rules", "update", "Mine", "threshold=7.5", "window=15m", *store)
    run("alerts", "rules", "disable", "slow_response", *store)
    listed = json.loads(run("alerts", "rules", "--json", *store).stdout)
    rules = {one["rule"]["name"]: one for one in listed}
    assert rules["Mine"] == {
        "origin": "state",
        "overrides": None,
        "created_at": rules["Mine"]["created_at"],
        "problem": None,
        "rule": {
            "name": "Mine", "signal": "cost", "threshold": 7.5, "window": "15m",
            "is_active": True,
        },
    }  # fmt: skip
    assert (rules["slow_response"]["rule"]["is_active"], rules["slow_response"]["overrides"]) == (
        False, "default",
    )  # fmt: skip
    back = run("alerts", "rules", "delete", "slow_response", *store)
    assert back.stdout == "slow_response is gone; the one of the default is back\n"
    refused = run("alerts", "rules", "delete", "slow_response", *store)
    assert (refused.returncode, refused.stderr) == (
        1,
        "contextframe-monitoring: alert rule 'slow_response' stands in the package: switch it off "
        "(alerts rules disable)\n",
    )


def test_history_statistics_and_a_test_alert(tmp_path: Path) -> None:
    scene = Scene(tmp_path, RULE)
    store = ("--store", scene.store.uri)
    raised = run("alerts", "test", "--severity", "critical", *store)
    alert_id = raised.stdout.strip()
    run("alerts", "ack", alert_id, "--as", "ada", "-m", "it arrived", *store)
    found = json.loads(run("alerts", "history", alert_id, *store, "--json").stdout)
    told = [(e["action"], e.get("actor"), e.get("note"), e["message"]) for e in found["events"]]
    assert told == [
        ("acknowledged", "ada", "it arrived", "test alert: This is a test: nothing is wrong."),
        ("fired", "application", None, "test alert: This is a test: nothing is wrong."),
    ]  # fmt: skip
    assert found["total"] == 2
    shown = run("alerts", "history", *store).stdout
    assert "acknowledged (it arrived)" in shown
    figures = json.loads(run("alerts", "statistics", *store, "--json").stdout)
    assert (figures["fired"], figures["acknowledged"], figures["by_severity"]) == (
        1, 1, {"critical": 1},
    )  # fmt: skip
    assert run("alerts", "statistics", *store).stdout.startswith("1 fired (1 critical), 1 taken on")


@pytest.mark.requirement("alerts:rules:backtest")
def test_a_backtest_through_the_command(tmp_path: Path) -> None:
    import time

    scene = Scene(tmp_path)
    now_us = time.time_ns() // 1000
    for minute in range(30, 40):
        scene.spend(10.0, time_us=now_us - minute * 60_000_000)
    file = tmp_path / "rule.toml"
    file.write_text(
        '[[alert_rules]]\nname = "Burst"\nsignal = "cost"\nthreshold = 25\nwindow = "5m"\n'
    )
    done = run("alerts", "backtest", str(file), "--since", "2h", "--store", scene.store.uri)
    assert (done.returncode, done.stdout.startswith("Burst would have fired 1 time(s)")) == (
        1,
        True,
    )
    asked = run(
        "alerts", "backtest", str(file), "--since", "20m", "--store", scene.store.uri, "--json"
    )
    assert (asked.returncode, json.loads(asked.stdout)["fired"]) == (0, 0)


def test_rules_as_prometheus_rules(tmp_path: Path) -> None:
    found = run("alerts", "rules", "--format", "prometheus", "--store", str(tmp_path / "s"))
    lines = found.stdout.splitlines()
    assert lines[0].startswith("# api_error_rate is not exported")
    assert [line for line in lines if "alert:" in line] == [
        '  - alert: "monitoring_drain_lag"',
        '  - alert: "monitoring_export_failing"',
        '  - alert: "monitoring_records_lost"',
        '  - alert: "slow_response"',
    ]


def test_what_the_command_can_not_do_is_said(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "s"))
    for arguments, message in (
        (("list", "--status", "open"), "status = 'open' is not allowed"),
        (("silence", "rule", "--reason", "x"), "where = 'rule' is not allowed"),
        (("silence", "rule=a", "--for", "ever", "-m", "x"), "--for = 'ever' is not allowed"),
        (("silence", "rule=a", "--from", "soon", "-m", "x"), "--from = 'soon' is not allowed"),
        (("rules", "--format", "xml"), "--format = 'xml' is not allowed"),
        (("rules", "validate", str(tmp_path / "none.toml")), "FILE = "),
        (("rules", "update", "slow_response", "threshold"), "KEY=VALUE = 'threshold'"),
        (("rules", "enable", "nothing"), "alert rule 'nothing' does not exist"),
        (("backtest", "monitoring_drain_lag"), "its figures leave no history"),
    ):
        asked = store if arguments[:2] != ("rules", "validate") else ()
        found = run("alerts", *arguments, *asked)
        assert found.returncode == 2, arguments
        assert message in found.stderr.replace("\n", ""), arguments


@pytest.mark.requirement("alerts:evaluator:status")
def test_doctor_says_when_rules_were_evaluated_and_warns_when_nobody_does(tmp_path: Path) -> None:
    scene = Scene(tmp_path, RULE)
    scene.spend(150.0)
    scene.tick()
    plain = run("doctor", "--store", scene.store.uri)
    [said] = [line for line in plain.stdout.splitlines() if line.startswith("ok  alerts: ")]
    assert said == (
        "ok  alerts: 1 rules, last evaluated 2026-11-18T11:06:40+00:00 by process "
        f"{os.getpid()}; firing: 1 warning"
    )
    file = tmp_path / "monitoring.toml"
    file.write_text('[[alert_rules]]\nname = "r"\nsignal = "cost"\nthreshold = 1\n')
    Store(str(tmp_path / "other")).create()
    found = run("doctor", "--store", str(tmp_path / "other"), "--config", str(file), "--json")
    problems = {one["check"]: one for one in json.loads(found.stdout)["findings"]}
    assert problems["alerts"]["problem"] == "alert rules were never evaluated: nobody does it"
    assert problems["alerts"]["remedy"].startswith("run `contextframe-monitoring keep`")
