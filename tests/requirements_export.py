"""Every promise of issue 7, export: `id | part | sentence`. Read by tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

EXPORT = """
export:prometheus:port | export | `/metrics` in `serve --http` and on a port of the keeper's own
export:prometheus:whole-store | export | One scrape shows the whole store, from the truth at scrape
    time
export:prometheus:formats | export | Text and OpenMetrics by content negotiation
export:prometheus:exemplars | export | Exemplars carry trace ids
export:prometheus:monotonic | export | Counters never go backwards over restarts, retention and
    corrections
export:prometheus:unique | export | No series stands twice
export:prometheus:bounded | export | Label sets are bounded by `series_max`
export:prometheus:server | export | A real Prometheus scrapes and evaluates it
export:otlp:metrics | export | Sums, gauges and exponential histograms, delta or cumulative
export:otlp:spans | export | Operations as spans with the parent of their trace
export:otlp:environment | export | The standard environment is honoured
export:otlp:away | export | While the collector is away nothing is lost
export:cloudwatch:emf | export | EMF lines without extras
export:cloudwatch:put | export | `put_metric_data` in batches, with statistic sets and retries
export:files:formats | export | Rows, rollups and reports in every format and any window
export:files:whole | export | A file appears whole or not at all, with a schema file beside it
export:tool:destinations | export | The agent's tool exports to an answer, a file, or a target
export:targets:schedule | export | Each target has its own interval, watermark and state, which
    survive restarts
export:targets:health | export | Each target has a breaker and health, and disturbs nothing else
export:targets:plugin | export | An exporter comes from another package by entry point
export:targets:custom | export | Custom metrics reach every exporter with kind, unit and allowed
    labels
export:targets:bad | export | Targets that refuse, hang, throttle or babble are named
export:grafana:checked | export | Every expression of dashboards and rules is checked against our
    own exposition, and returns data from a real Prometheus
export:grafana:alerts | export | Open alerts are a metric, by rule, severity and state
export:targets:secrets | export | Wrong credentials are a clear error that shows none of them
export:prometheus:names | export | Names and units are those of OpenTelemetry's conventions, in
    Prometheus form
export:prometheus:corrections | export | Negative deltas are a series of their own
export:prometheus:fast | export | A scrape of 100 tools x 14 buckets takes at most 20 ms
export:otlp:fast | export | OTLP export of 500 series takes at most 20 ms
export:files:fast | export | CSV export writes at least 300,000 rows a second
export:files:progress | export | A person sees how far an export is
export:files:exact | export | Times and money are exact
export:files:full-disk | export | A full disk leaves no partial file
export:tool:folder | export | A path outside the export folder, or through a symlink, is refused
export:port:taken | export | Two exporters on one port are a clear error
export:labels:hostile | export | Label values with quotes, newlines, NUL and 10 kB come back whole
    and printable
export:targets:alertable | export | A failing target becomes an alertable signal
export:grafana:dashboards | export | Dashboards as JSON under `examples/grafana`, one for every
    purpose
export:guides:run | export | The guides to exports and logging are run as tests
export:logs:lines | export | JSON lines with correlation id, service, version, environment and
    tenant, conversation and workflow ids when bound
export:logs:origin | export | The id comes from W3C trace context, `X-Correlation-ID`, or is made
export:logs:propagated | export | The id goes on through MCP messages, HTTP, threads, task groups
    and notifications, and is stored on rows
export:logs:requests | export | Requests are logged with timings
export:logs:sampling | export | High-volume lines are sampled, errors never
export:logs:redaction | export | Secrets are masked, error stacks bounded
export:logs:levels | export | The level is the environment's
export:logs:stdio | export | On stdio servers nothing but the protocol goes to stdout
export:logs:rotation | export | Log files rotate and expire
export:logs:command | export | `logs --correlation-id ID` shows one request's lines
export:logs:event | export | A context manager for business events and timings
export:logs:asgi | export | An ASGI middleware records each HTTP request as an operation
export:logs:private | export | Address and user agent are stored only when asked for
export:logs:http-client | export | Calls of httpx2 are timed
export:logs:sql | export | Statements of SQLAlchemy are timed
export:resources:sampled | export | CPU, memory, threads, open files, loop lag, queue depths and
    connections are sampled, never per call
"""
