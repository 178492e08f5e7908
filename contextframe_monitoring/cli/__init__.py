"""The command `contextframe-monitoring`."""
