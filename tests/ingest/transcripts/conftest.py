"""State on SQLite, and on PostgreSQL where a server is named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from contextframe_monitoring.store.facts import METADATA, create_tables

POSTGRES_URL = os.environ.get("CONTEXTFRAME_TEST_POSTGRES")
"""SQLAlchemy URL of a database that the tests may empty; without it they run on SQLite alone."""


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES_URL else [])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'state.db'}" if request.param == "sqlite" else POSTGRES_URL
    engine = create_engine(url)
    METADATA.drop_all(engine)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def usage_data() -> Path:
    """The developer data: beside the checkout, or where CONTEXTFRAME_SHARED says."""
    shared = Path(os.environ.get("CONTEXTFRAME_SHARED") or Path(__file__).parents[4] / "shared")
    place = shared / "data" / "usage"
    if not place.is_dir():
        reason = f"{place} is not there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return place
