"""What a tracking call returns: the record is made already, awaiting it is optional."""

from __future__ import annotations

from collections.abc import Generator


class Done:
    """An awaitable that is over: `await tracker.track_query(...)` and `tracker.track_query(...)`
    do the same.
    """

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        """Return at once."""
        yield from ()


DONE = Done()
