"""State on SQLite, and on PostgreSQL where a server is named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from contextframe_monitoring.store.facts import METADATA, create_tables

POSTGRES = "CONTEXTFRAME_MONITORING_TEST_POSTGRES"
"""SQLAlchemy URL of a database that the tests may empty."""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state.db'}"
    elif POSTGRES in os.environ:
        url = os.environ[POSTGRES]
    else:
        pytest.skip(f"{POSTGRES} names no server")
    engine = create_engine(url)
    METADATA.drop_all(engine)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def usage_data() -> Path:
    place = Path(__file__).parents[3] / ".." / "shared" / "data" / "usage"
    if not place.is_dir():
        reason = f"{place} is not there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return place
