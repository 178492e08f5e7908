"""The code reviews that were scheduled, in the state of a store."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.code_review import CodeReview
from contextframe_monitoring.store.state import metadata

REVIEWS_MAX = 100
"""Reviews that are remembered."""

REVIEWS = sa.Table(
    "code_reviews",
    metadata,
    sa.Column("review_id", sa.String(32), primary_key=True),
    sa.Column("scheduled_us", sa.BigInteger, nullable=False),
    sa.Column("recorded", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class CodeReviews:
    """The code reviews of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def schedule(self, review: CodeReview) -> None:
        """Note a review whose event is not recorded yet; the oldest beyond the bound go."""
        with self._engine.begin() as connection:
            connection.execute(
                REVIEWS.insert().values(
                    review_id=review.review_id,
                    scheduled_us=review.scheduled_us,
                    recorded=False,
                    body=msgspec.json.encode(review),
                )
            )
            newest = sa.select(REVIEWS.c.review_id).order_by(REVIEWS.c.scheduled_us.desc())
            kept = connection.scalars(newest.limit(REVIEWS_MAX)).all()
            connection.execute(REVIEWS.delete().where(REVIEWS.c.review_id.not_in(kept)))

    def recorded(self, review_id: str) -> None:
        """Note that the event of a review is safe."""
        with self._engine.begin() as connection:
            connection.execute(
                REVIEWS.update().where(REVIEWS.c.review_id == review_id).values(recorded=True)
            )

    def unrecorded(self) -> list[CodeReview]:
        """Return the reviews whose event may be missing: somebody died over it."""
        wanted = sa.select(REVIEWS.c.body).where(REVIEWS.c.recorded.is_(False))
        with self._engine.begin() as connection:
            bodies = connection.scalars(wanted).all()
        return [msgspec.json.decode(body, type=CodeReview) for body in bodies]

    def last(self) -> CodeReview | None:
        """Return the review that was scheduled last, None when there was none."""
        wanted = sa.select(REVIEWS.c.body).order_by(REVIEWS.c.scheduled_us.desc()).limit(1)
        with self._engine.begin() as connection:
            body = connection.scalar(wanted)
        return None if body is None else msgspec.json.decode(body, type=CodeReview)
