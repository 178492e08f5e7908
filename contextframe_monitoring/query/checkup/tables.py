"""The state and the tables: do they open, and can they be read?"""

from __future__ import annotations

from collections.abc import Iterator

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.query.checkup.patient import Patient
from contextframe_monitoring.store.schemas import SCHEMAS, TABLES
from contextframe_monitoring.store.state import STATE_FILE, damage


def check_state(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at the state beside the tables. Raises `StoreError` when it can't be opened."""
    engine, removals = patient.store.engine, patient.store.removals
    if engine is None or removals is None:
        yield Fact(check="state", says="none yet: nothing was ever drained")
        return
    found = damage(engine)
    if found is not None:
        yield Symptom(
            check="state",
            severity="critical",
            problem=f"{STATE_FILE} is damaged: {found}",
            remedy=f"move {STATE_FILE} aside: a drain makes a new one from what the tables hold",
        )
        return
    yield Fact(check="state", says=f"{STATE_FILE} is whole")
    if removals.unfinished():
        yield Symptom(
            check="state",
            severity="warning",
            problem="a removal of rows was cut off, or is under way",
            remedy="run `contextframe-monitoring keep --until-idle`: it carries it out",
        )


def check_tables(patient: Patient) -> Iterator[Fact | Symptom]:
    """Read a row of each table."""
    tables, rows = patient.store.tables, {}
    for name in TABLES:
        try:
            count = tables.count(name)
            for batch in tables.scan(name, SCHEMAS[name].names):
                if batch.num_rows:
                    break
        except StoreError as error:
            yield Symptom(
                check="tables",
                severity="critical",
                problem=error.reason,
                remedy="upgrade, if a newer version wrote it; run `maintain`: it rolls back what a "
                "power loss tore; else restore it from a backup",
            )
            continue
        rows[name] = count
    if any(rows.values()):
        shown = ", ".join(f"{count:,} in {name}" for name, count in rows.items())
        yield Fact(check="tables", says=f"rows: {shown}")
