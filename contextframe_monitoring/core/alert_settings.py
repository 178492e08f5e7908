"""Alerts: the section `[alerts]` of the configuration."""

from __future__ import annotations

from contextframe_monitoring.core.notification_settings import NotificationSettings


class AlertSettings(NotificationSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the configuration says about alerts."""
