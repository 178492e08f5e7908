"""The log: a file of lines, or the program's own log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError
from contextframe_monitoring.core.notification import as_json
from tests.alerts.said import notification, notifier


@pytest.mark.requirement("alerts:told:channels")
def test_a_notification_is_one_line_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "notifications.jsonl"
    said = notification()
    log = notifier({"type": "log", "path": str(file)})
    log.send(said)
    log.send(said)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == [json.loads(json.dumps(as_json(said)))] * 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_renamed_and_a_new_one_begun(tmp_path: Path) -> None:
    file = tmp_path / "notifications.jsonl"
    log = notifier({"type": "log", "path": str(file), "size_bytes_max": 4096})
    for _ in range(20):
        log.send(notification())
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= 4096


def test_a_file_that_refuses_is_a_failed_delivery(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="its file refuses: No such file or directory"):
        notifier({"type": "log", "path": str(tmp_path / "no" / "x")}).send(notification())


def test_without_a_file_it_goes_to_the_program_s_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        notifier({"type": "log"}).send(notification(severity="critical"))
    [record] = caplog.records
    assert record.levelno == logging.CRITICAL
    assert record.getMessage().startswith("notification.sent {")
