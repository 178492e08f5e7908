"""What issue 5 promises of the store over time: `id | part | sentence`. Read by
tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

TIME = """
time:rollup:levels | time | Levels 15m, 1h and 1d are folded from done batches, each fact once
time:rollup:one-commit | time | A fold or merge is one commit: no reader sees a bucket twice or
    never
time:rollup:other | time | Groups beyond a bound become `other`, counted in status
time:rollup:attributes | time | Up to four attributes that the operator chooses are kept apart
time:rollup:intervals | time | aggregation_intervals says which levels are kept
time:rollup:backfill | time | A store made before a level existed gets it
time:rollup:laws | time | Merging rollups is associative and free of order
time:rollup:sampled | time | Raw operations may be sampled; rollups and verify count everything
time:retention:levels | time | Each table and each level has its own retention
time:retention:archive | time | Expired raw rows can be archived as Parquet before they go
time:maintain:command | time | `maintain` does it all now, with progress, asking a running keeper or
    taking its place
time:maintain:compaction | time | Compaction encodes labels anew and writes a row few times
time:repair:torn | time | A newest version torn by a power loss is rolled back, the ledger replayed
time:verify:levels | time | verify compares the rollups of every level with raw rows
time:verify:rebuild | time | Rollups that do not agree can be made anew
time:fault:fold | time | SIGKILL at each step of a fold loses and repeats nothing
time:fault:compact | time | SIGKILL at each step of compaction and retention loses and repeats
    nothing
time:fault:fleet | time | 100 random kills among four writers, keeper and readers with a million
    acknowledged records lose and repeat nothing
time:fault:calls | time | The n-th sync, rename, unlink or commit that fails loses and repeats
    nothing
time:fault:clock | time | A clock that steps back an hour and forward a year while it is recorded
    and kept loses and repeats nothing
time:fault:old-reader | time | A reader that began before a compaction ends with the rows it saw
time:fault:flipped-bit | time | A flipped bit that makes stored rows unreadable is found by verify,
    which names the table
time:bench:scale | time | `bench scale` asks the reports of a year of 100 million events beside
    DuckDB
"""
