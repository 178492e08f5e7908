"""All checks of a store, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.query.alerting import alerting_findings, alerting_status
from contextframe_monitoring.query.checkup.folders import check_folders
from contextframe_monitoring.query.checkup.patient import Check, Patient, examined
from contextframe_monitoring.query.checkup.prices import check_prices
from contextframe_monitoring.query.checkup.spool import check_keeper, check_spool
from contextframe_monitoring.query.checkup.tables import check_state, check_tables
from contextframe_monitoring.query.checkup.versions import check_versions
from contextframe_monitoring.query.target_health import target_findings, target_statuses
from contextframe_monitoring.store.vocabulary import FileVocabulary


def check_configuration(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at switches that keep something from working."""
    config = patient.config
    if not config.enabled:
        yield Symptom(
            check="configuration",
            severity="warning",
            problem="monitoring is switched off: nothing is recorded",
            remedy="set enabled = true",
        )
    if config.tokenizer_path is not None:
        try:
            FileVocabulary(config.tokenizer_path)
        except UnavailableError as error:
            yield Symptom(
                check="configuration",
                severity="warning",
                problem=f"tokens are estimated: {error}",
                remedy="correct tokenizer_path, or take it out",
            )
        else:
            yield Fact(check="configuration", says=f"tokens: {config.tokenizer_path}")


def check_targets(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at where metrics are sent."""
    found = target_statuses(patient.store, patient.config)
    for finding in target_findings(found):
        yield Symptom(
            check="targets", severity="warning", problem=finding.problem, remedy=finding.remedy
        )
    for one in found:
        if not one.failures:
            yield Fact(check="targets", says=f"{one.name} ({one.type}) is {one.status}")


def check_alerts(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at the evaluation of alert rules: nothing is said before there was one."""
    found = alerting_status(patient.store)
    for finding in alerting_findings(found, patient.store, patient.config, patient.now_us):
        yield Symptom(
            check="alerts", severity="warning", problem=finding.problem, remedy=finding.remedy
        )
    if found.evaluated_at is not None:
        firing = ", ".join(f"{count} {name}" for name, count in found.active.items()) or "none"
        says = f"{found.rules} rules, last evaluated {found.evaluated_at} by process {found.pid}"
        yield Fact(check="alerts", says=f"{says}; firing: {firing}")


CHECKS: dict[str, Check] = {
    "configuration": check_configuration,
    "store": check_folders,
    "state": check_state,
    "tables": check_tables,
    "spool": check_spool,
    "keeper": check_keeper,
    "targets": check_targets,
    "alerts": check_alerts,
    "prices": check_prices,
    "versions": check_versions,
}


def examination(patient: Patient) -> Iterator[Fact | Symptom]:
    """Yield what all checks find, each on its own: none keeps another from looking."""
    for name, check in CHECKS.items():
        yield from examined(name, check, patient)
