"""The rack of notifiers: one file each, one line in `alerts.registry`."""
