"""The command, as a person uses it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.store.store import Store
from tests.cli.command import run
from tests.processes import run as run_process
from tests.processes import started, until


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with ten operations, two of them errors, a document access and two costs."""
    uri = str(tmp_path / "store")
    with Monitor.open(store=uri, name="app", start_keeper=False) as monitor:
        for number in range(10):
            monitor.performance.start_operation(
                f"op-{number}", "tool_call", "agent-1", target="add"
            )
            status = "error" if number < 2 else "success"
            monitor.performance.end_operation(f"op-{number}", status)
        monitor.usage.track_document_access("doc-1", "read", "agent-1")
        monitor.cost.track_known_cost("openai", "gpt-4", 0.0456, tokens_input=234)
    return uri


@pytest.mark.requirement("spine:command:report")
def test_report_performance_prints_a_table(store: str) -> None:
    done = run_process("report", "performance", "--store", store)
    assert done.returncode == 0, done.stderr
    first, header, row = done.stdout.splitlines()
    assert first.startswith("10 operations from ")
    assert header.split() == ["category", "count", "errors", "p50", "p95", "p99", "max"]
    assert row.split()[:4] == ["add", "10", "20", "%"]


@pytest.mark.requirement("spine:command:json")
@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [("performance", "total_operations", 10), ("usage", "total_events", 1)],
)
def test_report_json_is_the_report(store: str, kind: str, key: str, value: int) -> None:
    done = run("report", kind, "--store", store, "--json")
    assert json.loads(done.stdout)[key] == value


def test_report_cost_writes_exact_decimals(store: str) -> None:
    done = run("report", "cost", "--store", store, "--json", "--group-by", "provider")
    assert '"total_cost": 0.0456,' in done.stdout
    assert run("report", "cost", "--store", store).stdout.startswith("$0.0456 from ")


def test_filters_and_groups_narrow_a_report(store: str) -> None:
    done = run(
        "report", "performance", "--store", store, "--json", "--filter", "status=error",
        "--group-by", "agent,status",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert [(row["category"], row["count"]) for row in found["breakdown"]] == [
        ("agent-1 / error", 2)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "performance", "--since", "soon"], "since = 'soon' is not allowed"),
        (["report", "usage", "--group-by", "colour"], "group_by = 'colour' is not allowed"),
        (["report", "cost", "--tz", "Mars"], "'Mars' is not allowed"),
        (["report", "usage", "--limit", "-1"], "limit = -1 is not allowed"),
        (["report", "usage", "--filter", "x"], "where = 'x' is not allowed"),
        (["bench", "nothing"], "NAME = 'nothing' is not allowed"),
        (["export", "usage", "--format", "xml"], "'xml' is not allowed"),
        (["prices", "list", "gpt-4", "--at", "once"], "--at = 'once' is not allowed"),
        (["serve", "--http", "0.0.0.0:80"], "--http = '0.0.0.0:80' is not allowed"),
        (["verify", "--config", "no-such.toml"], "configuration file 'no-such.toml'"),
    ],
)
def test_a_wrong_word_is_one_line_and_status_2(
    store: str, arguments: list[str], message: str
) -> None:
    config = [] if arguments[0] in {"bench", "prices"} else ["--store", store]
    done = run(*arguments, *config)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("contextframe-monitoring: ")
    assert message in line


@pytest.mark.requirement("spine:command:verify")
def test_verify_proves_completeness(store: str) -> None:
    done = run("verify", "--store", store, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "complete": True,
        "recorded": 12,
        "stored": 12,
        "waiting": 0,
        "expired": 0,
        "duplicates": 0,
        "gaps": 0,
        "lost": {},
        "findings": [],
    }
    assert run("verify", "--store", store).stdout.startswith("complete: 12 recorded = 12 stored")


@pytest.mark.requirement("spine:command:verify-exit")
def test_verify_names_what_is_missing_and_exits_with_1(store: str) -> None:
    run("verify", "--store", store)
    table = Path(store) / "usage_metrics.lance"
    table.rename(table.with_suffix(".gone"))
    done = run("verify", "--store", store, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["complete"], found["gaps"], found["stored"]) == (False, 1, 11)
    assert "1 record(s) of writer" in found["findings"][0]["problem"]


def test_an_empty_store_is_complete_and_its_reports_say_so(tmp_path: Path) -> None:
    store = str(tmp_path / "nothing")
    assert run("verify", "--store", store).returncode == 0
    done = run("report", "usage", "--store", store)
    assert done.returncode == 0
    assert "no " in done.stdout


@pytest.mark.requirement("spine:fault:store-is-a-file")
def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    done = run("verify", "--store", str(path))
    assert done.returncode == 1
    assert "it is a file; name a folder with --store" in done.stderr


@pytest.mark.requirement("spine:keeper:keep")
def test_keep_drains_until_it_is_told_to_stop(store: str) -> None:
    tables = Store(store).tables
    with started("keep", "--store", store) as keeper:
        until(lambda: tables.count("performance_metrics") == 10)
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(20) == 0


@pytest.mark.requirement("spine:keeper:one", "spine:fault:two-keepers")
def test_keep_takes_over_from_one_that_was_killed(store: str) -> None:
    tables = Store(store).tables
    with started("keep", "--store", store) as first:
        until(lambda: tables.count("performance_metrics") == 10)
        with started("keep", "--store", store):
            first.kill()
            first.wait()
            with Monitor.open(store=store, name="app", start_keeper=False) as monitor:
                monitor.usage.track_event("later")
            until(lambda: tables.count("usage_metrics") == 2, seconds=15)
    assert run("verify", "--store", store).returncode == 0


def test_export_writes_a_file_or_standard_output(store: str, tmp_path: Path) -> None:
    done = run("export", "cost", "--format", "csv", "--store", store)
    header, row = done.stdout.splitlines()
    assert header.startswith("timestamp,operation_id,cost_type,provider,amount_usd")
    assert ",openai,0.0456," in row
    target = tmp_path / "costs.jsonl"
    done = run("export", "cost", "--format", "jsonl", "--store", store, "--output", str(target))
    assert done.returncode == 0, done.stderr
    assert json.loads(target.read_text())["amount_nano_usd"] == 45_600_000


def test_prices_quote_answers_line_by_line() -> None:
    lines = [
        {"provider": "openai", "model": "gpt-4", "usage": {"input_tokens": 1000,
                                                          "output_tokens": 500}},
        {"provider": "openai", "model": "no-such-model", "usage": {"input_tokens": 1}},
        {"provider": "openai", "model": "gpt-4", "usage": {"input_tokens": -1}},
    ]  # fmt: skip
    done = run("prices", "quote", stdin="\n".join(map(json.dumps, lines)) + "\ngarbage\n")
    known, unknown, negative, garbage = map(json.loads, done.stdout.splitlines())
    assert known["amount_usd"] == 0.06
    assert known["price_id"]
    assert unknown["amount_usd"] is None
    assert "in no price list" in unknown["reason"]
    assert negative["error"].startswith("line 3: input_tokens = -1 is not allowed")
    assert garbage["error"].startswith("line 4: ")
    assert done.returncode == 1


def test_prices_list_says_why() -> None:
    done = run("prices", "list", "claude-sonnet-4-5", "--at", "2025-11-01", "--json")
    found = json.loads(done.stdout)
    assert found["rates"]["input_mtok"].startswith("3")
    assert found["origin"]
    assert run("prices", "list", "no-such-model").returncode == 1


@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"], ["wrap", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert "Usage" in done.stdout or "usage" in done.stdout


@pytest.mark.servers
@pytest.mark.requirement("spine:command:demo", "spine:command:demo-minute")
def test_demo_survives_its_kill_and_proves_it() -> None:
    done = run_process("demo", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"] is True
