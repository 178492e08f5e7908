"""The dashboards as they lie in the repository, as an importer reads them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.export.promql import filled_in
from tests.export.servers import missing

FOLDER = Path(__file__).parent.parent.parent / "examples" / "grafana"
RULES = FOLDER / "prometheus" / "rules"
BOARDS: Mapping[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
BUILT_IN = {"__rate_interval": "1m", "__range": "1m", "__interval": "1m"}
"""What Grafana fills in by itself, and what stands for it here."""
CHOSEN = {"period": "4s", "change_max": "0.5", "metric": "queue_depth"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in board["templating"]["list"]}


def values(board: dict[str, Any]) -> dict[str, str]:
    """Return a value for every variable: all, where that can be chosen."""
    chosen = {name: one.get("allValue", "") for name, one in variables(board).items()}
    return {**chosen, **BUILT_IN, **{name: CHOSEN[name] for name in chosen if name in CHOSEN}}


def expressions(board: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield title, legend and expression of every query, variables filled in."""
    known = values(board)
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["legendFormat"], filled_in(target["expr"], known)


def promtool(*arguments: str) -> str:
    """Return what promtool says, when it agrees."""
    found = shutil.which("promtool")
    if found is None:
        missing("promtool")
    assert found is not None
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr)
    return done.stdout
