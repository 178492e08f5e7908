"""A program that looks at a store until it is killed.

`python -m tests.faults.reading STORE`: after each look it writes one byte to its standard output:
`.` when everything was there once, `!` when something was there twice or went away.
"""

from __future__ import annotations

import os
import sys

from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.store.filled import seen_by_a_reader

OUT = 1


def main(uri: str) -> None:
    """Look for ever."""
    store, known = Store(uri), 0
    while True:
        seen = seen_by_a_reader(Snapshot(store))
        whole = set(seen.values()) <= {1} and len(seen) >= known
        known = len(seen)
        os.write(OUT, b"." if whole else b"!")


if __name__ == "__main__":
    main(sys.argv[1])
