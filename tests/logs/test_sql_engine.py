"""Statements of an application's database: timed by shape, their text never kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from contextframe_monitoring import correlation, watch_sql_engine
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.resource_names import POOL_IDLE, POOL_USED
from tests.clocks import ManualClock
from tests.logs.lines import lines_of, logging_monitor
from tests.support import operations


@pytest.mark.requirement("004:perf:database")
@pytest.mark.requirement("export:logs:sql")
def test_statements_are_outgoing_operations_by_verb_and_shape(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor, correlation("job-1"):
        engine = watch_sql_engine(sa.create_engine("sqlite://"), monitor)
        watch_sql_engine(engine, monitor)
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE TABLE secrets (name TEXT)"))
            for name in ("ann", "bob"):
                connection.execute(sa.text(f"INSERT INTO secrets VALUES ('{name}')"))
            connection.execute(sa.text("SELECT * FROM secrets WHERE name = :n"), {"n": "hunter2"})
            with pytest.raises(sa.exc.OperationalError):
                connection.execute(sa.text("SELECT x FROM nowhere"))
        engine.dispose()
    found = operations(tmp_path / "store")
    assert [(o.operation_type, o.status, o.error_type, o.direction) for o in found] == [
        ("sql CREATE", "success", None, "out"),
        ("sql INSERT", "success", None, "out"),
        ("sql INSERT", "success", None, "out"),
        ("sql SELECT", "success", None, "out"),
        ("sql SELECT", "error", "OperationalError", "out"),
    ]
    targets = [o.target or "" for o in found]
    assert targets[1] == targets[2]
    assert len(set(targets)) == 4
    assert all(target.startswith("sqlite ") and len(target) == 23 for target in targets)
    assert {o.correlation_id for o in found} == {"job-1"}
    assert all((o.duration_ms or 0) > 0 for o in found)
    [line] = lines_of(tmp_path)
    assert (line["message"], line["error"]["type"]) == ("query.failed", "OperationalError")
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert not any(word in stored for word in (b"secrets", b"ann'", b"hunter2", b"nowhere"))


def test_a_slow_statement_is_a_warning(tmp_path: Path) -> None:
    clock = ManualClock()
    with logging_monitor(tmp_path, clock=clock, slow_query_threshold_ms=100.0) as monitor:
        engine = watch_sql_engine(sa.create_engine("sqlite://"), monitor)

        @sa.event.listens_for(engine, "connect")
        def _(connection: object, _: object) -> None:
            connection.create_function("wait", 1, clock.pass_ms)  # type: ignore[attr-defined]

        with engine.connect() as connection:
            for ms in (90, 110):
                connection.execute(sa.text(f"SELECT wait({ms})"))
        engine.dispose()
    [line] = lines_of(tmp_path)
    assert (line["level"], line["message"], line["context"]["duration_ms"]) == (
        "warning", "query.slow", 110.0,
    )  # fmt: skip


@pytest.mark.requirement("004:perf:connections")
def test_connections_of_pools_stand_in_samples_added_up(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        files = [f"sqlite:///{tmp_path / name}.db" for name in "ab"]
        engines = [sa.create_engine(url, poolclass=sa.QueuePool) for url in files]
        engines.append(sa.create_engine("sqlite://", poolclass=sa.NullPool))
        for engine in engines:
            watch_sql_engine(engine, monitor)
        with engines[0].connect(), engines[1].connect(), engines[2].connect():
            engines[1].connect().close()
            taken = {one.name: one.value for one in monitor.performance.sample_resources()}
        for engine in engines:
            engine.dispose()
    assert (taken[POOL_USED], taken[POOL_IDLE]) == (2, 1)


def test_what_is_no_engine_is_refused(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor, pytest.raises(InvalidError, match="engine = 'str'"):
        watch_sql_engine("sqlite://", monitor)
