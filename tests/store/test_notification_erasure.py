"""A purge takes what notes say about an agent or a session, and what is too old."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from contextframe_monitoring.core.delivery import Told
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.store.code_reviews import CodeReviews
from contextframe_monitoring.store.notification_erasure import erase_notifications
from contextframe_monitoring.store.notification_log import Noted, NotificationLog
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US
from tests.store.test_code_reviews import review


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = Store(str(tmp_path / "store")).create()
    log = NotificationLog(engine)
    for place, agent in enumerate(("alice", "bob")):
        said = {"alerts": [{"group": {"agent": agent, "session": f"of {agent}"}}]}
        log.note(
            Noted(
                at_us=NOW_US + place,
                channel="ops",
                outcome="sent",
                reason="first",
                notification=said,
            )
        )
        log.put(Told(channel="ops", topic=f"agent={agent}"), NOW_US + place)
    CodeReviews(engine).schedule(review(0))
    return engine


def left(engine: sa.Engine) -> tuple[list[int], list[str], bool]:
    log = NotificationLog(engine)
    topics = sorted(topic for _, topic in log.told())
    reviewed = CodeReviews(engine).last() is not None
    return [one.at_us - NOW_US for one in log.last()], topics, reviewed


@pytest.mark.parametrize(
    ("selection", "erased", "stands"),
    [
        (Selection(agent_id="alice"), 2, ([1], ["agent=bob"], True)),
        (
            Selection(agent_id="alice", session_id="of alice"),
            1,
            ([1], ["agent=alice", "agent=bob"], True),
        ),
        (
            Selection(agent_id="alice", session_id="of bob"),
            0,
            ([1, 0], ["agent=alice", "agent=bob"], True),
        ),
        (Selection(before_us=NOW_US + 1), 3, ([1], ["agent=bob"], False)),
        (Selection(), 5, ([], [], False)),
    ],
)
def test_what_is_meant_goes_and_the_rest_stands(
    engine: sa.Engine,
    selection: Selection,
    erased: int,
    stands: tuple[list[int], list[str], bool],
) -> None:
    assert erase_notifications(engine, selection) == erased
    assert left(engine) == stands


def test_a_purge_by_the_keeper_leaves_no_trace_of_a_name(tmp_path: Path, engine: sa.Engine) -> None:
    del engine
    keeper = Keeper(Store(str(tmp_path / "store")))
    assert keeper.take()
    keeper.purge(Selection(agent_id="alice"))
    keeper.release()
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"alice" in path.read_bytes()] == []
