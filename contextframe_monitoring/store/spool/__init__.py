"""The spool: frames that are safe against SIGKILL as soon as `put` returns, until the keeper has
drained them.

A folder a writer (`SPOOL/writers/<writer>`), in it a lock that the writer holds for life and
numbered segments. Segments whose frames are damaged are moved to `SPOOL/quarantine`. The standard
library and msgspec only.
"""
