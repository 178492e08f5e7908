"""`bench query` measures what it says, in a small run."""

from __future__ import annotations

import json

from contextframe_monitoring.bench.query import QUESTIONS, render, run


def test_a_small_run_answers_every_question_beside_its_peers() -> None:
    result = run(2, rows=2_000)
    assert (result["rows"], result["rounds"], result["duckdb"]) == (2_000, 2, True)
    assert list(result["questions"]) == list(QUESTIONS)
    for name, found in result["questions"].items():
        assert found["ours_ms"] > 0, name
        assert found["first_ms"] > 0, name
    asked = result["questions"]["cost by model"]
    assert {"duckdb", "duckdb_rollups", "sqlite"} <= asked.keys()
    assert json.loads(json.dumps(result))["days"] == 30
    lines = render(result).splitlines()
    assert len(lines) == 4 + len(QUESTIONS)
    assert lines[0] == "query: 2,000 rows of each kind over 30 days,"
    assert "None" not in render(result)
