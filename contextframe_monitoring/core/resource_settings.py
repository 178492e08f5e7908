"""How often a process of ours samples what it uses: the section `[resources]`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contextframe_monitoring.core.setting_values import check_values

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class ResourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CPU, memory, threads, open files, event loop lag and queues, as custom metrics."""

    sample_seconds: _Seconds = 60.0
    """Seconds between two samples of `serve` and `keep`; 0: none. Applications ask for theirs."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_values(self, {"sample_seconds": _Seconds}, "resources")
