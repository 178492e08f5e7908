"""How long an import of 67,000 lines takes, prices, spool and state included.

Prints; asserts only that all was counted.
"""

import json
import time
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.catalogue_price import catalogue_price
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.importer import Importer
from contextframe_monitoring.store.catalogue import Catalogue
from contextframe_monitoring.store.facts import create_tables
from contextframe_monitoring.store.state import open_state

FILES, LINES_PER_FILE = 200, 335


def _write_transcripts(folder: Path, lines_per_message: int) -> None:
    for file in range(FILES):
        path = folder / "projects" / f"-home-p{file % 10}" / f"session-{file}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (_line(file, n, lines_per_message) for n in range(LINES_PER_FILE))
        path.write_text("".join(lines))


def _line(file: int, number: int, lines_per_message: int) -> str:
    message, part = divmod(number, lines_per_message)
    name = f"{file:05}{message:07}"
    usage = {
        "input_tokens": 2,
        "cache_creation_input_tokens": 10245,
        "cache_read_input_tokens": 17915,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10245},
        "output_tokens": 10 + part,
        "service_tier": "standard",
    }
    message_fields = {"id": f"msg_01{name}", "model": "claude-opus-4-6", "usage": usage}
    entry = {
        "type": "assistant",
        "timestamp": f"2026-02-{1 + file % 28:02}T21:{number % 60:02}:00.{part:03}Z",
        "sessionId": f"session-{file}",
        "requestId": f"req_01{name}",
        "version": "2.1.39",
        "isSidechain": False,
        "message": {**message_fields, "content": []},
    }
    return json.dumps(entry, separators=(",", ":")) + "\n"


@pytest.mark.requirement("cost:transcripts:speed")
@pytest.mark.parametrize("lines_per_message", [1, 3])
def test_import_of_67_000_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines_per_message: int
) -> None:
    _write_transcripts(tmp_path / "data", lines_per_message)
    engine = open_state(tmp_path, create=True)
    create_tables(engine)
    recorder = open_recorder(MonitoringConfig(store=str(tmp_path), start_keeper=False))
    price = catalogue_price(Catalogue())
    books = Books(engine, price=price, record=recorder.record, stored_facts=lambda _: {})
    importer = Importer(CLAUDE_CODE, [tmp_path / "data"], books)
    begun, cpu_begun = time.perf_counter(), time.process_time()
    report = importer.run()
    first, cpu = time.perf_counter() - begun, time.process_time() - cpu_begun
    again = importer.run()
    second = time.perf_counter() - begun - first
    engine.dispose()
    recorder.close()
    with capsys.disabled():
        print(
            f"\n{report.lines} lines, {report.bytes_read / 1e6:.1f} MB, {report.calls} calls:"
            f" {first:.2f} s, {cpu:.2f} s processor; again, nothing new: {second:.3f} s"
        )
    assert (report.lines, again.lines) == (FILES * LINES_PER_FILE, 0)
    assert report.calls == FILES * -(-LINES_PER_FILE // lines_per_message)
