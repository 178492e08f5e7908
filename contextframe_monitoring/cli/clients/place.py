"""A place where a client keeps its configuration; each client's module says which it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file of a client. Our own server is added where `serves`; where not, only its entries are
    wrapped, and a file that is missing stays so. The client is there when the file is, or its
    `folder`. `note` is said when the file is changed.
    """

    file: Path
    folder: Path | None = None
    serves: bool = True
    typed: bool = False
    note: str | None = None

    @property
    def is_used(self) -> bool:
        """Whether the client seems to be there."""
        return self.file.exists() or (self.folder is not None and self.folder.is_dir())


Places = Callable[[str, Mapping[str, str], Path, Path], list[Place]]
"""Returns the places of a client for a platform (`sys.platform`), an environment, the user's home
and the current folder."""
