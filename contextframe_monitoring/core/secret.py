"""A secret as the configuration may name it: by where it stands, never by its value."""

from __future__ import annotations

import msgspec

STANDS_ELSEWHERE = 'secrets stand elsewhere: expected { env = "VARIABLE" } or { file = "PATH" }'


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret stands: in a variable of the environment or in a file, one of the two."""

    env: str | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        """Check that it is one of the two."""
        if bool(self.env) == bool(self.file):
            raise ValueError(STANDS_ELSEWHERE)


class _Unsaid:
    """Stands in an error for a value that may be a secret."""

    def __repr__(self) -> str:
        return "(not shown)"


UNSAID = _Unsaid()
