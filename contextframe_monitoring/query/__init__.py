"""The read path: one report each."""
