"""What libraries say through `logging` stands among the lines, with the ids that are bound."""

from __future__ import annotations

import logging
from pathlib import Path

from contextframe_monitoring import LogBridge, correlation
from tests.logs.lines import lines_of, logging_monitor


def test_records_of_the_standard_library_become_lines(tmp_path: Path) -> None:
    library = logging.getLogger("some.library")
    library.setLevel(logging.DEBUG)
    library.propagate = False
    with logging_monitor(tmp_path, logging={"level": "debug"}) as monitor:
        bridge = LogBridge(monitor.logs, logging.INFO)
        library.addHandler(bridge)
        try:
            with correlation("job-1"):
                library.debug("below its level")
                library.info("got %s of 100%%", 7)
                library.log(45, "token=abc123")
                try:
                    int("x")
                except ValueError:
                    library.exception("failed")
            library.warning("%d", "no number")
        finally:
            library.removeHandler(bridge)
    lines = lines_of(tmp_path)
    assert [(line["level"], line["message"], line["logger"]) for line in lines] == [
        ("info", "got 7 of 100%", "some.library"),
        ("error", "[masked]", "some.library"),
        ("error", "failed", "some.library"),
        ("warning", "%d", "some.library"),
    ]
    assert [line.get("correlation_id") for line in lines] == [*3 * ["job-1"], None]
    assert lines[2]["error"]["type"] == "ValueError"
