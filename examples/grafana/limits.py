"""Where things stop being well: one place for the lines in the panels and the alerts of Prometheus.

Set your own here, then write all files anew with `make docs`.
"""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """A value above `warning` is bad, one above `critical` is worse."""

    warning: float
    critical: float


FAILED_SHARE = Limit(0.05, 0.2)
"""Of the requests that ended, 0 to 1."""
P95_SECONDS = Limit(2, 10)
"""Of the durations of one server's requests."""
COST_PER_HOUR_USD = Limit(5, 20)
COST_PER_DAY_USD = Limit(50, 200)
COST_CHANGE = Limit(0.5, 1)
"""Cost of a day against the mean of the seven days before: 0.5 is half as much again."""
DRAIN_LAG_SECONDS = Limit(60, 600)
EXPORT_FAILURES = Limit(2, 9)
"""In a row, of one target."""
ANY = Limit(0, 0)
"""Nothing of this is well: one is too many."""
