"""`bench query` measures what it says, in a small run."""

from __future__ import annotations

import json

from contextframe_monitoring.bench.query import QUESTIONS, render, run


def test_a_small_run_answers_every_question_kept_and_anew() -> None:
    result = run(2, rows=2_000)
    assert list(result["questions"]) == list(QUESTIONS)
    for name, found in result["questions"].items():
        assert 0 < found["anew_least_ms"] <= found["anew_ms"] <= found["anew_max_ms"], name
        assert ("sqlite" in found) == (not QUESTIONS[name].detail)
    assert json.loads(json.dumps(result))["rows"] == 2_000
    assert render(result).startswith("query: 2,000 rows of each kind over 30 days,\n")
