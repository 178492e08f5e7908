"""Every promise of issue 4, cost: `id | part | sentence`. Read by tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

COST = """
cost:prices:snapshot | cost | The base catalogue is a snapshot of our own: no network
cost:prices:files | cost | `pricing/*.toml` are dated entries that a person can read and edit, with
    variants, tiers, fees and services
cost:prices:sourced | cost | Each entry has its source and the date it was checked
cost:prices:gaps | cost | The known gaps of the base catalogue are corrected
cost:prices:own-folder | cost | A user's own folder wins over ours
cost:prices:wrong-file | cost | A wrong file is refused with file, line and what is allowed; the
    last good prices stay
cost:prices:names | cost | Models are found by aliases, dated ids and the prefixes of clouds and
    gateways
cost:prices:event-time | cost | The price is that of the event's time
cost:prices:speed | cost | A price is compiled once; a fact costs at most 5 us
cost:prices:oracle | cost | The library is the oracle over all its models
cost:facts:llm | cost | `track_llm_usage` takes cache and reasoning tokens, batch and service tier
cost:facts:services | cost | Storage, bandwidth, compute and upstream calls are priced
cost:facts:track-cost | cost | The statistics seed's `track_cost` records a known cost
cost:facts:decimal | cost | All of them return the cost as Decimal, None when unknown
cost:facts:dimensions | cost | Purpose, feature, user_tier and user are dimensions
cost:facts:record-usage | cost | The agent's tool `record_usage`
cost:facts:bodies | cost | Usage is read out of raw Anthropic, OpenAI and Gemini bodies
cost:facts:reported | cost | A reported cost is kept beside the computed one
cost:facts:unknown | cost | An unknown cost is listed with model and tokens, counted, and never 0
cost:facts:reprice | cost | `prices reprice` prices what was unknown, by a delta; history is kept
cost:transcripts:claude-code | cost | `import claude-code` finds its folders, subagents, progress
    lines and sidechain replays
cost:transcripts:codex | cost | `import codex`
cost:transcripts:dedup | cost | Deduplicated by message and request over all files, growth included
cost:transcripts:incremental | cost | A second import reads only what is new; a growing last message
    is corrected by a delta
cost:transcripts:watch | cost | `--watch`
cost:transcripts:progress | cost | A progress bar
cost:transcripts:contents | cost | Prompts and results are never stored
cost:transcripts:speed | cost | 67,000 lines in at most 3 s
cost:transcripts:attributes | cost | Project, session, subagent and tools become attributes
cost:transcripts:fact-keys | cost | A re-import after retention adds nothing
cost:otlp:door | cost | `/v1/traces|metrics|logs` in protobuf and JSON, gzip
cost:otlp:flavours | cost | The instrumentations of the facts, Claude Code's own telemetry, mcp.*
    spans
cost:otlp:once | cost | Nested, duplicated or retried spans are not counted twice
cost:otlp:temporality | cost | Delta and cumulative, resets, sums, histograms, exponential
    histograms
cost:otlp:unknown | cost | Streams without usage are unknown
cost:otlp:limits | cost | Bodies and attributes are bounded; a partial success says what was refused
cost:once:doors | cost | One call counts once, whatever doors it came through, the most precise
    source winning
cost:once:witnesses | cost | The others are witnesses that agree or not; a disagreement is shown
cost:report:keys | cost | Breakdown by type, model, provider, agent, operation, feature, user_tier,
    server, tool, session, project, subagent, day
cost:report:trend | cost | Trend per day in the asked time zone
cost:report:unknown-part | cost | The unknown part and the share by provenance are told
cost:report:savings | cost | Cache savings
cost:report:projection | cost | Projection with an interval; weekday pattern from two weeks on
cost:report:budget | cost | `[budget] monthly_usd` feeds budget_status and days until the limit
cost:report:previous | cost | Comparison with the previous period and what moved
cost:report:edges | cost | First day, empty period and zero cost
cost:tools:definitions | cost | Tokens of each tool's definition and results, labelled as estimates
cost:tools:exact | cost | Exact tokens where a tokenizer's vocabulary is on disk
cost:tools:by-tool | cost | `report cost --group-by tool` shows what eats the context, and tools
    never called
cost:tools:growth | cost | A signal when a server's definitions grow
cost:reconcile:providers | cost | Anthropic's reports in cents, OpenAI's usage and costs
cost:reconcile:reasons | cost | The difference per model and day, with its reason
cost:reconcile:billed | cost | The bill is stored as `billed` facts that add to no total
cost:prices:commands | cost | `prices list|check|quote|reprice`
cost:well:claude-code | cost | The transcripts of data/usage cost 11.04254485 USD exactly
cost:well:price-cases | cost | All cases of grade A and B are exact to 1e-9
cost:well:captures | cost | The OTLP captures give the truth exactly
cost:well:naive-fails | cost | A first-wins or naive importer gives another sum
cost:well:exact-sums | cost | Costs sum exactly, as integers
cost:well:report-speed | cost | The report over 30 days and 1 M facts answers in at most 50 ms
cost:bad:counts | cost | Negative, NaN, boolean or absurd counts, cache larger than input
cost:bad:names | cost | A model name of 10 kB
cost:bad:lines | cost | Malformed or truncated lines are skipped, counted, named
cost:bad:files | cost | A transcript that shrinks or is rewritten
cost:bad:days | cost | Day boundaries in any time zone
cost:bad:bills | cost | A bill in another currency
cost:bad:otlp | cost | OTLP bodies that are garbage, huge, of the wrong content type
cost:shown:laws | cost | Any split of the input in any order gives the same total, twice is once
cost:shown:table | cost | The docs hold a comparison table with the rules that go wrong
"""
