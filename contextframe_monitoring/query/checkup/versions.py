"""The versions of this program and of what it stands on, against what it asks for."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.query.checkup.patient import Patient
from contextframe_monitoring.query.health import versions

_PACKAGE = "contextframe-monitoring"
_CLAUSE = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9][0-9.]*)")


def check_versions(_patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at what is installed."""
    shown = ", ".join(f"{name} {version}" for name, version in versions().items())
    yield Fact(check="versions", says=shown)
    for requirement in _requirements():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed == "missing" or not fits(installed, requirement):
            yield Symptom(
                check="versions",
                severity="error",
                problem=f"{name} is {installed}, wanted is {requirement}",
                remedy=f"reinstall: `pip install --upgrade {_PACKAGE}`",
            )


def _requirements() -> list[str]:
    """Return what the installed package asks for, without its extras; nothing in a checkout."""
    try:
        found = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [requirement for requirement in found if ";" not in requirement]


def fits(version: str, requirement: str) -> bool:
    """Return whether a version meets a requirement (`name>=2.3,<3`); only numbers are compared."""
    have = _numbers(version)
    for operator, text in _CLAUSE.findall(requirement):
        want = _numbers(text)
        size = max(len(have), len(want))
        left, right = (part + (0,) * (size - len(part)) for part in (have, want))
        held = {
            ">=": left >= right,
            "<=": left <= right,
            "==": left == right,
            "!=": left != right,
            ">": left > right,
            "<": left < right,
        }
        if not held[operator]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
