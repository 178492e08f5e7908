"""Everything here that is made from the code: dashboards and rules.

`python -m examples.grafana.build`, from the root of the repository, writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from examples.grafana.boards import (
    alerts,
    comparison,
    costs,
    events,
    monitor,
    overview,
    servers,
)
from examples.grafana.rules import alerting_file, recording_file

FOLDER = Path(__file__).parent
DASHBOARDS = tuple(
    board.DASHBOARD for board in (overview, servers, costs, alerts, events, comparison, monitor)
)


def files() -> dict[Path, str]:
    """Return the text of every file."""
    made = {
        FOLDER / "dashboards" / f"{one.name}.json": json.dumps(one.json(), indent=2) + "\n"
        for one in DASHBOARDS
    }
    made[FOLDER / "prometheus" / "rules" / "recording.yml"] = recording_file()
    made[FOLDER / "prometheus" / "rules" / "alerting.yml"] = alerting_file()
    return made


def main() -> None:
    """Write every file."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
