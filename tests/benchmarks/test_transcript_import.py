"""How long an import of 67,000 lines takes. Prints; asserts only that all was counted."""

import json
import time
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine

from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.importer import Importer
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import create_tables

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


def _price(fact: UsageFact) -> tuple[int, str]:
    input_nano = fact.input_tokens * 5000 + fact.cache_write_1h_tokens * 10_000
    return input_nano + fact.cache_read_tokens * 500 + fact.output_tokens * 25_000, "opus"


@pytest.mark.parametrize("lines_per_message", [1, 3])
def test_import_of_67_000_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines_per_message: int
) -> None:
    _write_transcripts(tmp_path / "data", lines_per_message)
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    create_tables(engine)
    encoder, spool = msgspec.msgpack.Encoder(), bytearray()

    def record(cost: CostRecord) -> bool:
        spool.extend(encoder.encode(cost))
        return True

    books = Books(engine, price=_price, record=record, stored_facts=lambda _: {})
    importer = Importer(CLAUDE_CODE, [tmp_path / "data"], books)
    begun = time.perf_counter()
    report = importer.run()
    first = time.perf_counter() - begun
    again = importer.run()
    second = time.perf_counter() - begun - first
    engine.dispose()
    with capsys.disabled():
        print(
            f"\n{report.lines} lines, {report.bytes_read / 1e6:.1f} MB, {report.calls} calls:"
            f" {first:.2f} s; again, nothing new: {second:.3f} s"
        )
    assert (report.lines, again.lines) == (FILES * LINES_PER_FILE, 0)
    assert report.calls == FILES * -(-LINES_PER_FILE // lines_per_message)
