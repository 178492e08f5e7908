"""Every promise of issue 2, the spine: `id | part | sentence`. Read by tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

SPINE = """
spine:repo:rooms | spine | The package has the rooms of the design, and only those with something in
    them
spine:repo:wheel-data | spine | `pricing/` and `schemas/` lie inside the wheel and are found there
spine:repo:editable-data | spine | `pricing/` and `schemas/` are found in an editable install
spine:repo:makefile | spine | `make` knows demo, test, check and bench
spine:repo:ci-run | spine | `.ci/run` checks and tests a clone
spine:repo:papers | spine | README, changelog and the MIT licence are there
spine:repo:tidy | spine | The house style is a test
spine:repo:requirements | spine | This issue's promises stand in tests/requirements and are enforced
    both ways
spine:record:kinds | spine | Frozen records for operations, usage, application events, cost and
    custom metrics
spine:record:never-raises | spine | `Recorder.record` is synchronous, never raises into the caller,
    never awaits
spine:record:safe-when-back | spine | When `record` returns, the frame survives SIGKILL of the
    process
spine:record:imports-nothing-heavy | spine | What records loads the standard library and msgspec
    only, and what the monitored server has loaded itself
spine:record:no-thread | spine | What records starts no thread and syncs nothing to the disk
spine:record:writer-seq | spine | `(writer, seq)` stands on every record: a random id of the process
    run; 1, 2, 3 ... without a hole
spine:record:lost-takes-seq | spine | A lost record consumes a seq
spine:record:operation-id | spine | `operation_id` is the caller's own, else `<writer>-o<n>`
spine:record:losses-are-said | spine | What cannot be stored is counted by reason and said in status
    and in `verify`
spine:spool:local | spine | The spool is on a local disk: `spool_path`, else beside a local store,
    else in the user's state folder, keyed by the store's URI
spine:spool:writer-folder | spine | Each writer has a folder; its segments start at 64 KiB and
    double to a bound
spine:spool:header | spine | A segment's header holds magic, format version, process and boot id,
    the last seq, and the loss counters by reason
spine:spool:counters-survive | spine | The loss counters survive SIGKILL
spine:spool:back-ends | spine | Two back ends, memory map and `os.write`, keep the same promises
spine:spool:fork | spine | After a fork the child writes under an id of its own
spine:spool:reentrance | spine | A record taken while one is being put is a counted loss, never a
    deadlock
spine:spool:damage | spine | A reader goes on behind a damaged frame at the next valid one, and
    counts it
spine:spool:unknown-version | spine | A frame or segment of an unknown version is left in place and
    reported
spine:keeper:ledger | spine | A batch stands in the ledger before it is appended, and as done after
    it is synced
spine:keeper:exactly-once | spine | Every frame reaches its raw table and the 1m rollup deltas
    exactly once
spine:keeper:one | spine | One keeper per store, elected by a lock, taken over when its holder dies
spine:keeper:unlinks | spine | Segments that are wholly drained are removed, nothing else is
spine:keeper:in-serve | spine | The keeper lives inside `serve`
spine:keeper:keep | spine | The keeper runs as `keep`, and `keep --until-idle` ends when nothing
    waits
spine:keeper:on-demand | spine | A writer that finds no keeper and a backlog over a bound starts
    `keep --until-idle`, at most once a minute per store
spine:readers:complete | spine | A reader sees each record once, at every moment of a drain
spine:readers:fresh | spine | A reader sees what was acknowledged before it asked, with and without
    a keeper
spine:privacy:bounded | spine | Metadata, attributes and error texts are bounded by `text_chars_max`
    before they reach the spool
spine:privacy:masked | spine | Metadata, attributes and error texts are masked before they reach the
    spool
spine:privacy:query-shape | spine | Of a query's text a hash and a shape without literals are stored
spine:tables:lancedb | spine | `lancedb.connect(store)` opens usage_metrics, performance_metrics and
    cost_metrics
spine:tables:any-tool | spine | The tables are read by Lance without our code
spine:tables:added-columns | spine | The tables have the columns that DESIGN section 4 adds
spine:tables:schemas | spine | The published files under `schemas/` are what the code makes
spine:python:public-names | spine | The public names of DESIGN section 5 are there, all of them and
    no others
spine:python:both-method-sets | spine | Where two seeds name one class, it carries both method sets
spine:python:operation-block | spine | An operation is also a context manager, whose exception says
    how it ended
spine:python:metric-kinds | spine | `record_metric` takes kind gauge, counter or histogram and a
    unit, and reports keep them apart
spine:python:unknown-model | spine | The cost of an unknown model is unknown, never 0
spine:python:unmatched | spine | An end without a start, a second end, a start never ended: counted,
    listed, harmless
spine:config:all-keys | spine | `MonitoringConfig` has every key of the seed, with its default
spine:config:toml-and-environment | spine | Configuration comes from TOML and the environment, which
    wins
spine:config:disabled-is-said | spine | `enabled=false` records nothing, and status says so
spine:config:no-cost-rows | spine | `track_costs=false` writes no cost rows
spine:config:slow | spine | `slow_query_threshold_ms` gives `slow` beside `errors`
spine:events:track-event | spine | `monitor.usage.track_event(name, category, outcome, duration_ms,
    numbers, attributes, operation_id)` records a decision of an application
spine:events:report | spine | Reports give count and share per category and outcome, mean and
    percentiles of a number
spine:usage:hashes | spine | Query patterns are listed by hash, not by text
spine:instrument:both-classes | spine | `instrument` works on MCPServer and on the lowlevel Server
spine:instrument:both-eras | spine | `instrument` works for the protocol of 2026-07-28 and for the
    handshake era
spine:instrument:memory | spine | `instrument` works for an in-memory client
spine:instrument:stdio | spine | `instrument` works over stdio
spine:instrument:http | spine | `instrument` works over streamable HTTP
spine:instrument:once | spine | Every dispatched request and notification is recorded once
spine:instrument:fields | spine | A record has method, target, agent, session, server, transport,
    protocol version, status, request and result size
spine:instrument:duration | spine | Durations are taken on a monotonic clock
spine:instrument:errors | spine | `isError` results and JSON-RPC errors are errors, with the
    exception's class where it can be had
spine:instrument:timeout-cancelled | spine | Timeout and cancellation are told apart
spine:instrument:listen | spine | `subscriptions/listen` is recorded at open and kept out of latency
    and error rates
spine:instrument:one-module | spine | The provisional middleware API is touched in one module
spine:instrument:contract | spine | Contract tests hold what we use of the SDK
spine:instrument:tools | spine | `instrument(server, monitor, tools=True)` registers our tools and
    resources in that server
spine:instrument:collision | spine | Colliding names are refused, naming both
spine:wrap:byte-exact | spine | `wrap` relays the bytes as they are, both ways, and never
    re-serialises
spine:wrap:strange-frames | spine | A strange frame passes like any other
spine:wrap:fields | spine | `wrap` records the fields that `instrument` records, for both eras and
    both directions
spine:wrap:stderr | spine | The child's stderr is ours
spine:wrap:signals | spine | Signals are forwarded
spine:wrap:exit-code | spine | The child's exit code is returned
spine:wrap:drains | spine | What the child wrote is delivered before `wrap` ends
spine:wrap:dead-child | spine | Calls that are pending when the child dies are recorded as errors
spine:wrap:no-store | spine | When the store can't be written, `wrap` relays on and says so once on
    stderr
spine:wrap:name | spine | `--name` is the server's name in the records
spine:serve:stdio-and-http | spine | `serve` answers over stdio and over `--http`
spine:serve:performance | spine | get_performance_metrics gives count, throughput, error rate, p50,
    p90, p95, p99 and slow count
spine:serve:active | spine | get_performance_metrics gives active operations, their peak, and
    connections
spine:serve:slowest | spine | get_performance_metrics gives the slowest targets
spine:serve:trend | spine | get_performance_metrics gives the trend and the comparison with the
    previous window
spine:serve:export-formats | spine | export_metrics gives JSON, CSV, Parquet and Prometheus text
spine:serve:export-folder | spine | export_metrics writes to the answer or below the export folder,
    nowhere else
spine:serve:status | spine | get_monitoring_status gives enabled, writers, undrained frames, drain
    lag, recorded, stored and lost counts, last error and versions
spine:serve:resources | spine | The resources monitoring://status and
    monitoring://performance/{window} are read
spine:serve:flat-parameters | spine | Parameters are flat and bounded
spine:serve:output-schema | spine | Answers are structured and fit the published schema
spine:serve:group-by | spine | group_by knows hour, day, week, month, minute, target, method, agent,
    server, session, status, operation, error_type, collection, user and any attribute
spine:serve:windows | spine | A window is ISO times or a length as 24h or 7d, in a time zone
spine:serve:cursor | spine | `max_tokens` bounds an answer, and its cursor gives the rest
spine:serve:leads | spine | An answer's text leads with the number asked for
spine:command:report | spine | `report usage`, `report performance` and `report cost` print readable
    tables
spine:command:json | spine | `report ... --json` has the shapes of the design
spine:command:verify | spine | `verify` proves completeness from `(writer, seq)` and the ledger
spine:command:verify-exit | spine | `verify` ends with 0 only when everything is complete
spine:command:demo | spine | `demo` wraps a real MCP server, drives it with a real client, kills it
    half way, starts again, prints the report and the proof
spine:command:demo-minute | spine | `demo` takes less than a minute and shows how far it is
spine:speed:call-10us | spine | `instrument` adds at most 10 us to an in-memory call (median paired
    difference, the SDK's own OpenTelemetry middleware left in place)
spine:speed:call-ratio | spine | By default an instrumented call is no slower than a bare one (ratio
    of medians at most 1.00)
spine:speed:stands-in | spine | Our middleware stands in for the SDK's OpenTelemetry one: without a
    provider it carries the trace context itself, with one, even a late one, it delegates
spine:speed:transports-15us | spine | `instrument` adds at most 15 us over stdio and streamable HTTP
spine:speed:record-3us | spine | `record()` takes at most 3 us
spine:speed:record-tenth | spine | `record()` takes at most a tenth of an OpenTelemetry span with a
    batch processor
spine:speed:wrap-200us | spine | `wrap` adds at most 200 us to a call of a Python server
spine:speed:wrap-40us | spine | `wrap` adds at most 40 us to a call of a trivial echo child
spine:speed:wrap-weight | spine | `wrap` holds at most 32 MB and delays the first answer by at most
    150 ms
spine:speed:server-8mb | spine | An instrumented server grows by at most 8 MB
spine:speed:serve-first-answer | spine | The first answer of `serve` on stdio comes within 1.3 times
    that of a bare MCPServer
spine:speed:idle-keeper | spine | An idle keeper uses at most 0.5 % of a core
spine:speed:bench | spine | `bench overhead`, `bench record` and `bench wrap` print all of it beside
    the peers, as medians of interleaved rounds, ratios and differences with their spread
spine:kills:exactly-once | spine | After SIGKILL at random moments: 0 missing, 0 twice
spine:kills:forks | spine | After SIGKILL under forks: 0 missing, 0 twice
spine:input:times | spine | Times in the future, reversed or unparsable are clear errors
spine:input:group-key | spine | An unknown group key is a clear error
spine:input:negative-limit | spine | A negative limit is a clear error
spine:input:empty-window | spine | A window with no data is an answer that says so
spine:input:attributes | spine | Attribute values of 1 MB, with NUL bytes or lone surrogates are
    bounded and stored
spine:input:many-tools | spine | 10,000 distinct tool names are recorded and reported
spine:fault:store-is-a-file | spine | A store folder that is a file is a clear error
spine:fault:read-only | spine | A read-only store folder is a clear error or a counted loss
spine:fault:full | spine | A full disk under the store is a clear error, and nothing is lost from
    the spool
spine:fault:newer | spine | A store written by a newer version is left alone, with a clear error
spine:fault:damaged-segment | spine | A damaged or truncated segment is kept aside, counted, named
    in status
spine:fault:deleted-table | spine | A table that someone deletes while we run is a clear error or
    made again
spine:fault:two-keepers | spine | Of two keepers started at once one works and the other waits
spine:fault:keeper-killed | spine | A keeper killed at each step of a batch leaves every record once
spine:fault:spool-full | spine | A spool on a full disk is a counted loss, no SIGBUS
spine:fault:undisturbed | spine | No fault disturbs the monitored server
spine:shown:memory-eras | spine | The in-memory client of both eras is recorded as it called
spine:shown:real-servers | spine | mcp-server-time and mcp-server-git answer under `wrap` byte for
    byte as without
spine:shown:real-rows | spine | The recorded rows of the wrapped servers are what the client did
spine:shown:serve-clients | spine | A client of either era calls `serve` over stdio and over HTTP
spine:shown:fresh-clone | spine | `make demo` and `make test` need Python and make only
"""
"""Issue 2, sentence by sentence."""
