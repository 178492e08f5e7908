"""How much the fault tests do: a little, or all of it with CONTEXTFRAME_TEST_FAULTS=full."""

from __future__ import annotations

import os

FULL = os.environ.get("CONTEXTFRAME_TEST_FAULTS") == "full"
KILLS = 20 if FULL else 3
RECORDS = 200_000 if FULL else 10_000
WRITERS = 1_000 if FULL else 200
TARGETS = 10_000
FLEET_KILLS = 100 if FULL else 10
FLEET_RECORDS = 1_000_000 if FULL else 100_000
CALLS = 60 if FULL else 2
"""So many of the calls that can fail do so, one at a time, evenly spread over all of them."""
