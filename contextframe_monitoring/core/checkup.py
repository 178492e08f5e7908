"""The shape of `doctor`'s report: what was looked at, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["warning", "error", "critical"]
_GRAVEST_FIRST: tuple[Severity, ...] = ("critical", "error", "warning")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Shape):
    """Something that was looked at and is as it should be."""

    check: str
    says: str


class Symptom(_Shape):
    """Something that is wrong, and what to do about it.

    A warning may become worse, an error keeps something from working, critical means that records
    or reports are in danger.
    """

    check: str
    severity: Severity
    problem: str
    remedy: str


class CheckupReport(_Shape):
    """What `doctor` found."""

    healthy: bool = Field(description="nothing was found to be wrong")
    findings: list[Symptom] = Field(description="the gravest first")
    facts: list[Fact]


def checkup_report(found: Iterable[Fact | Symptom]) -> CheckupReport:
    """Return a report of what checks have found."""
    known = list(found)
    symptoms = [note for note in known if isinstance(note, Symptom)]
    return CheckupReport(
        healthy=not symptoms,
        findings=sorted(symptoms, key=lambda symptom: _GRAVEST_FIRST.index(symptom.severity)),
        facts=[note for note in known if isinstance(note, Fact)],
    )
