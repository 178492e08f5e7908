"""The plan of a window: whole, without overlap, coarsest level first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.query.planner import Piece, Reach, plan, raw_from_us, reached_us
from contextframe_monitoring.store.levels import LEVELS

LAW = settings(derandomize=True, deadline=None, max_examples=300)
M1, M15, H1, D1 = LEVELS
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
ALL = [Reach(level, 0) for level in LEVELS]
TIMES = st.integers(0, 20 * DAY)


def test_the_coarsest_level_comes_first_and_raw_rows_are_the_ragged_ends() -> None:
    found = plan(
        DAY + 23 * HOUR + 44 * MINUTE + 5,
        4 * DAY + HOUR + 16 * MINUTE + 7,
        cuts=(),
        reaches=ALL,
        raw_since_us=0,
    )
    assert found.rounded_us == 0
    assert found.pieces == (
        Piece(DAY + 23 * HOUR + 44 * MINUTE + 5, DAY + 23 * HOUR + 45 * MINUTE, None),
        Piece(DAY + 23 * HOUR + 45 * MINUTE, 2 * DAY, M15),
        Piece(2 * DAY, 4 * DAY, D1),
        Piece(4 * DAY, 4 * DAY + HOUR, H1),
        Piece(4 * DAY + HOUR, 4 * DAY + HOUR + 15 * MINUTE, M15),
        Piece(4 * DAY + HOUR + 15 * MINUTE, 4 * DAY + HOUR + 16 * MINUTE, M1),
        Piece(4 * DAY + HOUR + 16 * MINUTE, 4 * DAY + HOUR + 16 * MINUTE + 7, None),
    )


def test_days_of_a_half_hour_zone_are_cut_by_quarters_of_an_hour() -> None:
    midnights = [day * DAY + 18 * HOUR + 30 * MINUTE for day in range(4)]
    found = plan(midnights[0], midnights[3], cuts=midnights, reaches=ALL, raw_since_us=0)
    assert {piece.level for piece in found.pieces} == {M15, H1}
    assert found.pieces[0] == Piece(midnights[0], 19 * HOUR, M15)


def test_what_raw_rows_no_longer_hold_comes_from_rollups_to_the_next_day() -> None:
    found = plan(DAY, 12 * DAY, cuts=(), reaches=[Reach(M1, 0)], raw_since_us=9 * DAY + 5)
    assert found.pieces == (Piece(DAY, 12 * DAY, M1),)
    assert raw_from_us(DAY, 9 * DAY + 5, [Reach(M1, 0), Reach(D1, 0)]) == 10 * DAY
    assert reached_us(9 * DAY + 5, [Reach(D1, 0)]) == 0
    assert reached_us(5, [Reach(D1, 0)]) == 5


def test_a_bucket_that_straddles_an_end_belongs_to_where_it_starts() -> None:
    old = [Reach(D1, 0), Reach(H1, 8 * DAY)]
    found = plan(DAY + 5, 3 * DAY + HOUR, cuts=(), reaches=old, raw_since_us=None)
    assert found == ((Piece(2 * DAY, 4 * DAY, D1),), DAY, ())


@LAW
@given(
    st.tuples(TIMES, TIMES).filter(lambda ends: ends[0] != ends[1]),
    st.lists(TIMES, max_size=5),
    st.sets(st.sampled_from(LEVELS)),
    st.none() | TIMES,
    st.data(),
)
def test_a_plan_covers_every_moment_once(
    ends: tuple[int, int],
    cuts: list[int],
    levels: set,  # type: ignore[type-arg]
    raw_since_us: int | None,
    data: st.DataObject,
) -> None:
    start, end = min(ends), max(ends)
    reaches = [Reach(level, data.draw(TIMES) // DAY * DAY) for level in sorted(levels)]
    found = plan(start, end, cuts=cuts, reaches=reaches, raw_since_us=raw_since_us)
    assert found.pieces == tuple(sorted(found.pieces))
    for one, after in zip(found.pieces, found.pieces[1:], strict=False):
        assert one.end_us <= after.start_us
        assert found.rounded_us or one.end_us == after.start_us
    for piece in found.pieces:
        assert piece.start_us < piece.end_us
        if piece.level is None:
            continue
        size = piece.level.bucket_us
        assert piece.start_us % size == piece.end_us % size == 0
        inside = {cut for cut in (*cuts, start, end) if piece.start_us < cut < piece.end_us}
        assert found.rounded_us or all(cut % size == 0 for cut in inside)
    if not found.rounded_us:
        assert (found.pieces[0].start_us, found.pieces[-1].end_us) == (start, end)
