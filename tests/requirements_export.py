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
"""
