"""`bench serve` measures what it says, in a small run."""

import pytest

from contextframe_monitoring.bench.serve import render, run


@pytest.mark.requirement("spine:speed:serve-first-answer", "spine:speed:idle-keeper")
def test_a_small_run_has_both_figures_beside_their_targets() -> None:
    result = run(1, settle_seconds=0.1, idle_seconds=0.2)

    assert result["ratio"] == result["serve_ms"] / result["bare_ms"] > 0
    assert result["idle_keeper_percent"] is None or result["idle_keeper_percent"] >= 0
    assert result["targets"] == {"ratio": 1.3, "idle_keeper_percent": 0.5}
    _, answer, keeper = render(result).splitlines()
    assert answer.endswith("(target <= 1.3)")
    assert keeper.endswith("(target <= 0.5)")
