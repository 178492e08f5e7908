"""How long what is stored is kept: the section `[retention]` of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec

_Days = Annotated[int, msgspec.Meta(ge=1, le=36_500)]


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days that rows of each table and each level of the rollups are kept; whole days, UTC."""

    usage_days: _Days | None = None
    """Raw usage, events and custom metrics; None: `metrics_retention_days`."""
    performance_days: _Days | None = None
    """Raw operations; None: `metrics_retention_days`."""
    cost_days: _Days | None = None
    """Raw costs; None: `metrics_retention_days`."""
    alerts_days: _Days = 365
    """The history of alerts."""
    rollup_1m_days: _Days = 14
    """Rollups of one minute."""
    rollup_15m_days: _Days = 90
    """Rollups of fifteen minutes."""
    rollup_1h_days: _Days = 730
    """Rollups of one hour."""
    rollup_1d_days: _Days = 3_650
    """Rollups of one day."""
    archive_path: str | None = None
    """Folder that expired raw rows are written to as Parquet before they go; None: they just go."""


def days_by_table(settings: RetentionSettings, raw_days: int) -> dict[str, int]:
    """Return how many days each table keeps. `raw_days` is `metrics_retention_days`."""
    return {
        "usage_metrics": settings.usage_days or raw_days,
        "performance_metrics": settings.performance_days or raw_days,
        "cost_metrics": settings.cost_days or raw_days,
        "alert_events": settings.alerts_days,
        "rollup_1m": settings.rollup_1m_days,
        "rollup_15m": settings.rollup_15m_days,
        "rollup_1h": settings.rollup_1h_days,
        "rollup_1d": settings.rollup_1d_days,
    }
