"""The rack of formats: one file each, one line each in `export.registry`."""
