"""Transcripts that coding agents leave on disk, read into cost facts that each count once.

`folders` finds the files, `tail` reads the complete lines that are new, `claude_code` and `codex`
make a `UsageFact` of a line, `settlement` decides which facts count and what is still to be
recorded, `importer` does it once and only once.
"""
