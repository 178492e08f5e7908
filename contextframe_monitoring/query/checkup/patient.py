"""What a check looks at, and how one is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError, StoreError
from contextframe_monitoring.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A store, the configuration that names it, and the time in microseconds since the epoch."""

    store: Store
    config: MonitoringConfig
    now_us: int


Check = Callable[[Patient], Iterator[Fact | Symptom]]


def examined(name: str, check: Check, patient: Patient) -> Iterator[Fact | Symptom]:
    """Yield what a check finds; what it can't look at is a symptom too."""
    try:
        yield from check(patient)
    except StoreError as error:
        remedy = "look at what it names" if error.remedy == "run doctor" else error.remedy
        yield Symptom(check=name, severity="critical", problem=error.reason, remedy=remedy)
    except MonitoringError as error:
        yield Symptom(
            check=name, severity="critical", problem=str(error), remedy="correct what it names"
        )
    except Exception as error:  # noqa: BLE001 - Lance, SQL and disks raise what they like
        problem = f"it can't be looked at ({type(error).__name__}: {error})"[:500]
        yield Symptom(
            check=name, severity="critical", problem=problem, remedy="report this with its text"
        )
