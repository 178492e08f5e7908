"""How alert rules are evaluated and who is told: the section `[alerts]` of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contextframe_monitoring.core.notification_settings import NotificationSettings

_Seconds = Annotated[float, msgspec.Meta(ge=1, le=86_400)]


class AlertSettings(NotificationSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the configuration says about alerts."""

    evaluate: bool = True
    """False: the keeper evaluates no rule."""
    default_rules: bool = True
    """Whether the rules that come with the package are evaluated; one of the same name wins."""
    evaluation_interval_seconds: _Seconds = 60.0
    """Between two evaluations of all rules."""
    rule_seconds_max: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 5.0
    """A rule that takes longer is reported, and evaluated more seldom."""
    groups_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    """Alerts of one rule; of more groups the worst ones are kept, and it is said."""
    open_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    """Open alerts of the store; an application's own alerts beyond are refused."""
    resolved_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7
    """How long a resolved alert stays in the list; the history keeps it longer."""
    incident_minutes: Annotated[int, msgspec.Meta(ge=1, le=1_440)] = 10
    """Alerts that fire within this of another one may belong to its incident."""
    watchdog_url: str | None = None
    """Called (GET) after every complete evaluation: a service outside notices when it stays away.
    """
