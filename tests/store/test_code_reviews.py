"""The code reviews of a store."""

from __future__ import annotations

from pathlib import Path

from contextframe_monitoring.core.code_review import CodeReview
from contextframe_monitoring.store.code_reviews import REVIEWS_MAX, CodeReviews
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US


def review(number: int) -> CodeReview:
    return CodeReview(
        review_id=f"{number:032}",
        scheduled_us=NOW_US + number,
        rules=("HighDailyCost",),
        alert_ids=("a",),
        sustained_hours=8.5,
        lines=("cost is 600 USD",),
    )


def test_a_review_is_open_until_its_event_is_recorded(tmp_path: Path) -> None:
    reviews = CodeReviews(Store(str(tmp_path / "store")).create())
    assert (reviews.last(), reviews.unrecorded()) == (None, [])
    for number in (1, 2):
        reviews.schedule(review(number))
    reviews.recorded(review(1).review_id)
    assert (reviews.last(), reviews.unrecorded()) == (review(2), [review(2)])


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    reviews = CodeReviews(Store(str(tmp_path / "store")).create())
    for number in range(REVIEWS_MAX + 2):
        reviews.schedule(review(number))
    assert reviews.unrecorded()[0] == review(2)
    assert len(reviews.unrecorded()) == REVIEWS_MAX
