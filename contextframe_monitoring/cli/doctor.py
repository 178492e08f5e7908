"""`doctor`: looks at everything that monitoring stands on, and says what to do."""

from __future__ import annotations

import typer

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    edge,
    print_json,
)


@edge
def doctor(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Check the store, the spool, the keeper, the prices, versions and the clients' entries.

    Each finding comes with its remedy. Exit status 0 when nothing is wrong, 1 with findings.

    Examples:
      contextframe-monitoring doctor
      contextframe-monitoring doctor --store ~/metrics --json
    """
    from contextframe_monitoring.cli.checking import checkup, print_checkup

    report = checkup(store, config)
    if json:
        print_json(report.model_dump_json(indent=2))
    else:
        print_checkup(report)
    if not report.healthy:
        raise typer.Exit(FINDING)
