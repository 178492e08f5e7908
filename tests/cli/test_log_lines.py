"""`logs`: one request's lines and rows, and lines by what they say."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import correlation, get_logger
from contextframe_monitoring.logs.log_file import files_of
from tests.cli.command import run
from tests.logs.lines import lines_of, logging_monitor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two requests of an application: one went well, one failed."""
    with logging_monitor(tmp_path) as monitor:
        log = get_logger("shop", monitor=monitor)
        with correlation("job-1", tenant_id="t-1"):
            with monitor.performance.operation("http GET", "/orders/{id}"):
                log.info("order.seen", order=7)
            monitor.cost.track_known_cost("anthropic", "completion", 0.25)
        with correlation("job-2"):
            with (
                pytest.raises(ValueError, match="bad"),
                monitor.business_event("order.placed", user_impact="no order"),
            ):
                int("\x1b[31mbad")
            log.warning("order.odd\x1b[2J")
    return tmp_path


def ask(folder: Path, *arguments: str) -> Any:
    log = str(folder / "app.log")
    return run("logs", "--store", str(folder / "store"), "--file", log, *arguments)


def answered(folder: Path, *arguments: str) -> dict[str, Any]:
    done = ask(folder, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.requirement("004:ac:correlation", "004:log:trace-services")
@pytest.mark.requirement("export:logs:command")
def test_one_id_shows_its_lines_and_its_rows(folder: Path) -> None:
    found = answered(folder, "--correlation-id", "job-1")
    assert [line["message"] for line in found["lines"]] == ["order.seen"]
    assert [
        (row["table"], row.get("target"), row.get("amount_nano_usd")) for row in found["rows"]
    ] == [
        ("performance_metrics", "/orders/{id}", None),
        ("cost_metrics", None, 250_000_000),
    ]
    text = ask(folder, "--correlation-id", "job-1").stdout.splitlines()
    assert len(text) == 3
    assert text[0].endswith("order.seen  correlation_id=job-1 tenant_id=t-1 order=7")
    assert "performance_metrics  server=app operation_type=http GET target=/orders/{id}" in text[1]


@pytest.mark.requirement("004:log:aggregation-filter")
def test_lines_are_found_by_level_and_fields_and_counted(folder: Path) -> None:
    assert [line["message"] for line in answered(folder, "--level", "error")["lines"]] == [
        "order.placed"
    ]
    by_order = answered(folder, "--where", "order=7", "--where", "tenant_id=t-1")
    assert [line["message"] for line in by_order["lines"]] == ["order.seen"]
    newest = answered(folder, "--limit", "1")
    assert (len(newest["lines"]), newest["matched"], newest["rows"]) == (1, 3, [])
    assert answered(folder, "--count-by", "level") == {"info": 1, "error": 1, "warning": 1}
    assert answered(folder, "--count-by", "tenant_id") == {"t-1": 1, "(none)": 2}
    assert ask(folder, "--count-by", "user_impact", "--level", "error").stdout.split() == [
        "1", "no", "order",
    ]  # fmt: skip


def test_an_error_is_shown_with_its_stack_and_no_control_character(folder: Path) -> None:
    said = ask(folder, "--correlation-id", "job-2").stdout
    assert "\x1b" not in said
    lines = said.splitlines()
    assert "    ValueError" in lines
    assert any(line.startswith("    tests.cli.test_log_lines:") for line in lines)
    assert any("order.odd\ufffd[2J" in line for line in lines)


def test_files_that_were_set_aside_and_damaged_lines_are_no_obstacle(folder: Path) -> None:
    log = folder / "app.log"
    aside = folder / "app.log.20200101T000000-000000.gz"
    with gzip.open(aside, "wb") as packed:
        packed.write(log.read_bytes())
    log.write_bytes(b'{"half": \n\xff\xfe\n[]\n' + b"x" * 100_000 + b"\n")
    found = answered(folder)
    assert len(found["lines"]) == found["matched"] == 3
    assert found["damaged"] >= 4
    aside.write_bytes(aside.read_bytes()[:60])
    done = ask(folder)
    assert done.returncode == 1
    assert "can't be read" in done.stderr


def test_nothing_found_is_status_1_and_bad_questions_are_2(folder: Path) -> None:
    nothing = ask(folder, "--correlation-id", "nobody")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "nothing was found" in nothing.stderr
    assert ask(folder, "--level", "loud").returncode == 2
    assert ask(folder, "--limit", "0").returncode == 2
    assert ask(folder, "--where", "x").returncode == 2
    assert ask(folder, "--since", "never").returncode == 2
    for missing in ("logs", "logs --count-by level"):
        done = run(*missing.split(), "--store", str(folder / "store"))
        assert done.returncode == 1
        assert "no log file is configured" in done.stderr


def test_without_a_log_file_an_id_still_shows_its_rows(folder: Path) -> None:
    done = run("logs", "--store", str(folder / "store"), "--correlation-id", "job-1", "--json")
    assert (done.returncode, len(json.loads(done.stdout)["rows"])) == (0, 2)
    assert "only rows" in done.stderr


def test_the_configured_file_is_the_default(folder: Path) -> None:
    config = folder / "monitoring.toml"
    config.write_text(f'store = "{folder / "store"}"\n[logging]\nfile = "{folder / "app.log"}"\n')
    done = run("logs", "--config", str(config), "--json")
    assert json.loads(done.stdout)["lines"] == lines_of(folder)
    assert files_of(folder / "app.log") == [folder / "app.log"]
