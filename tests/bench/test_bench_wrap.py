"""`bench wrap` measures what it says, in a small run."""

import pytest

from contextframe_monitoring.bench.wrap import render, run


@pytest.mark.requirement(
    "spine:speed:wrap-200us", "spine:speed:wrap-40us", "spine:speed:wrap-weight",
    "spine:speed:bench",
)  # fmt: skip
@pytest.mark.requirement("doors:well:wrap-http-400us")
def test_a_small_run_has_every_figure_and_is_rendered() -> None:
    result = run(20, starts=2)

    assert [(row["child"], row["one_core"]) for row in result["added"]] == [
        ("echo child", True),
        ("echo child", False),
        ("Python server", True),
        ("Python server", False),
        ("HTTP server", True),
        ("HTTP server", False),
    ]
    for row in result["added"]:
        spread = row["wrap_added_us"]
        assert spread["q1"] <= spread["median"] <= spread["q3"]
        assert row["direct_us"] > 0
    assert [row["child"] for row in result["first_answer"]] == ["echo child", "Python server"]
    assert result["memory"]["target_mb"] == 32
    text = render(result)
    assert len(text.splitlines()) == 12
    assert "None" not in text
