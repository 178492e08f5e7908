"""Loggers as an application uses them: the lines, what they hold and what they never hold."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring import Monitor, correlation, get_logger
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.logging_settings import LoggingSettings
from contextframe_monitoring.logs.error_detail import FRAMES_MAX
from contextframe_monitoring.logs.line import LINE_BYTES_MAX
from tests.clocks import NOW_US, ManualClock
from tests.logs.lines import lines_of, logging_monitor, messages_of

NOW = dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


@pytest.mark.requirement(
    "001:obs:structured-logs", "004:log:enhance", "004:log:json-format", "004:log:structlog",
    "004:log:service-context", "004:log:user-context", "004:ac:correlation",
)  # fmt: skip
@pytest.mark.requirement("export:logs:lines")
def test_a_line_holds_who_when_what_and_the_ids_that_are_bound(tmp_path: Path) -> None:
    with logging_monitor(
        tmp_path, clock=ManualClock(), environment="staging", logging={"service_version": "1.4"}
    ) as monitor:
        log = get_logger("orders", monitor=monitor, shop="a")
        with correlation("job-1", tenant_id="t", conversation_id="c", workflow_id="w"):
            log.bind(step=2).info("order.placed", order_id=7)
        log.warning("stock.low", left=0)
    head = {"service": "app", "version": "1.4", "environment": "staging"}
    ids = {"correlation_id": "job-1", "tenant_id": "t", "conversation_id": "c", "workflow_id": "w"}
    assert lines_of(tmp_path) == [
        {
            "timestamp": NOW, "level": "info", "message": "order.placed", "logger": "orders",
            **ids, **head, "context": {"shop": "a", "step": 2, "order_id": 7},
        },
        {
            "timestamp": NOW, "level": "warning", "message": "stock.low", "logger": "orders",
            **head, "context": {"shop": "a", "left": 0},
        },
    ]  # fmt: skip


def test_ids_that_a_logger_was_told_itself_stand_with_the_others(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        get_logger("x", monitor=monitor, tenant_id="t").info("a", correlation_id="mine")
    [line] = lines_of(tmp_path)
    assert (line["correlation_id"], line["tenant_id"], line["context"]) == ("mine", "t", {})


@pytest.mark.requirement("004:log:levels")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("production", ["error"]),
        ("development", ["debug", "info", "error"]),
        (None, ["info", "error"]),
    ],
)
@pytest.mark.requirement("export:logs:levels")
def test_the_level_is_the_environments(
    tmp_path: Path, environment: str | None, expected: list[str]
) -> None:
    levels = {"production": "error", "development": "debug"}
    with logging_monitor(tmp_path, environment=environment, logging={"levels": levels}) as monitor:
        log = get_logger("x", monitor=monitor)
        for level in ("debug", "info", "error"):
            getattr(log, level)(level)
    assert messages_of(tmp_path) == expected


@pytest.mark.requirement("export:logs:redaction")
def test_secrets_are_masked_in_every_depth(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        get_logger("x", monitor=monitor).info(
            "paid with sk-aaaaaaaaaaaaaaaaaaaaaaaa",
            password="hunter2",
            request={"headers": {"authorization": "Bearer abc999"}, "note": "token=abc123"},
        )
    text = (tmp_path / "app.log").read_text()
    [line] = lines_of(tmp_path)
    assert line["context"] == {
        "password": "[masked]",
        "request": {"headers": {"authorization": "[masked]"}, "note": "[masked]"},
    }
    assert not any(secret in text for secret in ("hunter2", "abc999", "abc123", "sk-"))


@pytest.mark.requirement("004:log:error-detail")
def test_an_error_line_says_where_and_why_without_values_or_paths(tmp_path: Path) -> None:
    def place(order: str) -> None:
        try:
            {}[order]
        except KeyError as cause:
            raise ValueError(f"no price for {order}") from cause

    with logging_monitor(tmp_path) as monitor:
        log = get_logger("x", monitor=monitor)
        try:
            place("secret-order")
        except ValueError:
            log.exception("order.failed", user_impact="the order was not placed")
    [line] = lines_of(tmp_path)
    here = test_an_error_line_says_where_and_why_without_values_or_paths
    frames = [frame.split(" ", 1) for frame in line["error"].pop("stack")]
    assert line["error"] == {"type": "ValueError", "causes": ["KeyError"]}
    assert [name for _, name in frames] == [
        here.__qualname__, f"{here.__qualname__}.<locals>.place",
    ]  # fmt: skip
    assert all(place.startswith(f"{here.__module__}:") for place, _ in frames)
    assert (line["level"], line["context"]) == (
        "error", {"user_impact": "the order was not placed"},
    )  # fmt: skip
    assert "secret-order" not in json.dumps(line)


def test_an_errors_text_is_said_only_where_that_is_wanted_and_then_masked(tmp_path: Path) -> None:
    with logging_monitor(tmp_path, store_error_texts=True) as monitor:
        error = RuntimeError("password=hunter2 at the door")
        get_logger("x", monitor=monitor).error("no", exc_info=error)
    [line] = lines_of(tmp_path)
    assert line["error"] == {
        "type": "RuntimeError", "message": "[masked] at the door", "stack": [],
    }  # fmt: skip


@pytest.mark.requirement("export:logs:redaction")
def test_a_stack_is_bounded_and_says_how_much_is_left_out(tmp_path: Path) -> None:
    def deep(left: int) -> None:
        if not left:
            raise RecursionError
        deep(left - 1)

    with logging_monitor(tmp_path) as monitor:
        try:
            deep(200)
        except RecursionError:
            get_logger("x", monitor=monitor).exception("deep")
    [line] = lines_of(tmp_path)
    assert (len(line["error"]["stack"]), line["error"]["frames_left_out"]) == (
        FRAMES_MAX, 202 - FRAMES_MAX,
    )  # fmt: skip


def test_errors_of_a_group_are_named(tmp_path: Path) -> None:
    group = ExceptionGroup("both", [OSError("a"), ValueError("b")])
    with logging_monitor(tmp_path) as monitor:
        get_logger("x", monitor=monitor).error("no", exc_info=group)
    assert lines_of(tmp_path)[0]["error"]["causes"] == ["OSError", "ValueError"]


@pytest.mark.requirement("004:log:sampling", "004:log:perf-sampling")
@pytest.mark.requirement("export:logs:sampling")
def test_lines_are_sampled_by_request_and_errors_never(tmp_path: Path) -> None:
    rates = {"request.": 0.2, "request.kept": 1.0, "noise": 0.0}
    with logging_monitor(tmp_path, logging={"sample_rates": rates}) as monitor:
        log = get_logger("x", monitor=monitor)
        for number in range(400):
            with correlation(f"request-{number}"):
                log.info("request.begun")
                log.info("request.handled")
                log.error("request.failed")
        log.info("request.kept")
        log.info("noise")
        log.warning("noise")
    lines = lines_of(tmp_path)
    ids = {
        message: [line["correlation_id"] for line in lines if line["message"] == message]
        for message in ("request.begun", "request.handled", "request.failed")
    }
    assert ids["request.begun"] == ids["request.handled"]
    assert 40 < len(ids["request.begun"]) < 140
    assert len(ids["request.failed"]) == 400
    assert [line["level"] for line in lines if line["message"] == "noise"] == ["warning"]
    assert [line["message"] for line in lines[-2:]] == ["request.kept", "noise"]
    assert {line.get("sample_rate") for line in lines if line["message"] == "request.begun"} == {
        0.2
    }


def test_lines_without_an_id_are_sampled_evenly(tmp_path: Path) -> None:
    with logging_monitor(tmp_path, logging={"sample_rates": {"tick": 0.25}}) as monitor:
        log = get_logger("x", monitor=monitor)
        for number in range(100):
            log.info("tick", number=number)
    assert [line["context"]["number"] for line in lines_of(tmp_path)] == list(range(3, 100, 4))


class Hostile:
    """Can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        return "Hostile()"  # for whoever reports a failing example


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.decimals() | st.datetimes() | st.builds(Hostile),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


KEYS = st.text() | st.sampled_from(
    [
        "logger",
        "level",
        "timestamp",
        "message",
        "exc_info",
        "correlation_id",
        "tenant_id",
        "context",
    ]
)


@given(message=st.text(), fields=st.dictionaries(KEYS, VALUES, max_size=6))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_logged_is_one_line_of_json_within_its_bound(
    tmp_path: Path, message: str, fields: dict[str, Any]
) -> None:
    (tmp_path / "app.log").unlink(missing_ok=True)
    with logging_monitor(tmp_path, enabled=False) as monitor:
        logs = monitor.logs
        fields = {name: value for name, value in fields.items() if name != "event"}
        logs.logger("x").bind(**fields).info(message)
        assert logs.lost == 0
    raw = (tmp_path / "app.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert len(raw) <= LINE_BYTES_MAX
    assert json.loads(raw)["level"] == "info"


def test_a_line_that_would_be_too_long_says_so(tmp_path: Path) -> None:
    with logging_monitor(tmp_path, text_chars_max=4096) as monitor:
        get_logger("x", monitor=monitor).info("big", **{f"f{n}": "x" * 4000 for n in range(10)})
    [line] = lines_of(tmp_path)
    assert list(line["context"]) == ["left_out_bytes"]
    assert line["context"]["left_out_bytes"] > 40_000


def test_numbers_that_json_lacks_and_money_are_texts_or_null(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        get_logger("x", monitor=monitor).info("x", a=float("nan"), b=Decimal("1.10"), c=2**70)
    assert lines_of(tmp_path)[0]["context"] == {"a": None, "b": "1.10", "c": "integer of 71 bits"}


def test_an_applications_own_structlog_settings_are_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_monitor(tmp_path) as monitor, structlog.contextvars.bound_contextvars(region="eu"):
        get_logger("x", monitor=monitor).info("ours")
    assert not structlog.is_configured()
    assert lines_of(tmp_path)[0]["context"] == {"region": "eu"}
    assert capsys.readouterr().out == ""


def test_without_a_file_lines_go_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False, name="app") as monitor:
        get_logger("x", monitor=monitor).info("hello")
    said = capsys.readouterr()
    assert (said.out, json.loads(said.err)["message"]) == ("", "hello")


def test_without_a_monitor_the_environment_says_where_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextframe_monitoring.logs.log import _logs_of_the_process

    monkeypatch.setenv("CONTEXTFRAME_MONITORING_LOGGING__FILE", str(tmp_path / "app.log"))
    _logs_of_the_process.cache_clear()
    try:
        get_logger("x").info("hello", a=1)
    finally:
        _logs_of_the_process.cache_clear()
    assert lines_of(tmp_path)[0]["context"] == {"a": 1}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"level": "loud"}, "logging.level = 'loud' is not allowed: expected one of debug, info,"),
        ({"levels": {"production": "x"}}, "logging.levels = "),
        ({"sample_rates": {"a": 2.0}}, "logging.sample_rates = "),
        ({"sample_rates": {str(n): 0.1 for n in range(65)}}, "expected at most 64 rules"),
        ({"rotate_bytes": 10}, "logging.rotate_bytes = 10 is not allowed"),
        ({"keep_days": 0}, "logging.keep_days = 0 is not allowed"),
        ({"correlation_ids": "x"}, "expected one of trace, uuid, none"),
    ],
)
def test_settings_that_are_not_allowed_are_named(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        LoggingSettings(**bad)
    assert said in str(refused.value)


def test_a_logger_that_can_not_write_never_breaks_its_caller(tmp_path: Path) -> None:
    (tmp_path / "app.log").mkdir()
    with logging_monitor(tmp_path) as monitor, contextlib.suppress(InvalidError):
        get_logger("x", monitor=monitor).info("hello")
    monitor = logging_monitor(tmp_path, logging={"file": str(tmp_path / "x" / "app.log")})
    (tmp_path / "x").write_text("a file where a folder should be")
    with monitor:
        get_logger("x", monitor=monitor).info("hello")
        assert monitor.logs.lost == 1


def test_a_program_that_does_not_log_never_loads_structlog() -> None:
    code = (
        "import sys, tempfile\n"
        "from mcp.server import MCPServer\n"
        "from contextframe_monitoring import Monitor, correlation, instrument\n"
        "with Monitor.open(store=tempfile.mkdtemp(), start_keeper=False) as monitor:\n"
        "    instrument(MCPServer('x'), monitor)\n"
        "    with correlation():\n"
        "        monitor.usage.track_event('x')\n"
        "    monitor.performance.sample_resources()\n"
        "print('structlog' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
