"""Every promise of the five seeds: `id | part | sentence`, `-- reason` where the part is open.

Read by tests/requirements.py. Our own words; the seeds decide.
"""

SEED_000 = """
000:ac1:realtime-shares | control | Tier usage percentages are followed in real time over sliding
    windows while bundles of all three tiers run
000:ac1:dashboard-bands | web | A dashboard shows the three tiers against their target bands (rules
    70-80 %, template 15-20 %, LLM 5-10 %)
000:ac2:threshold-alert | alerts | LLM usage 20-30 % above its target raises an alert
000:ac2:analytics-in-alert | alerts | The alert carries detailed usage analytics (shares, trend,
    cost)
000:ac2:slack-email | alerts | Alerts go out by Slack and e-mail by themselves
000:ac2:code-review | alerts | Sustained violations schedule a code review session
000:ac3:event-per-tier | control | Every bundle processed by any tier leaves one detailed event
    (decision, timing, cost)
000:ac3:drill-down | web | An operator drills down from a share to the events behind it and sees
    optimisation opportunities
000:ac4:throttle-on-spike | control | A spike or abuse makes the system throttle by itself
000:ac4:short-window | control | Cost thresholds are judged over short windows
000:ac4:stays-available | control | The service stays available while it is throttled
000:mixin:class | control | `ProductionMonitoringMixin` adds monitoring to a summariser class
000:mixin:components | control | The mixin owns event_logger, usage_tracker, alert_manager and
    throttling_controller
000:mixin:event-logger | control | `SummarizationEventLogger.log_event(event)` persists an event
000:mixin:log-summarization-event | control | `log_summarization_event(event)` logs the event,
    updates usage and checks thresholds
000:mixin:get-tier-usage-analytics | control | `get_tier_usage_analytics(window_hours=24)` returns
    shares and trends
000:mixin:check-cost-thresholds | alerts | Thresholds are checked and alerts triggered automatically
    after events
000:model:tier-usage-analytics | control | `TierUsageAnalytics` holds shares (`llm_percentage` ...)
    and trend
000:model:processing-tier | control | `ProcessingTier` is a closed set: rule_based, template, llm
000:event:timestamp | control | Event field timestamp
000:event:request-id | control | Event field request_id
000:event:bundle-id | control | Event field bundle_id
000:event:session-id | control | Event field session_id (optional)
000:event:resource-types | control | Event field resource_types, a list of names
000:event:resource-count | control | Event field resource_count
000:event:complexity-score | control | Event field bundle_complexity_score
000:event:has-rare-resources | control | Event field has_rare_resources
000:event:tier-selected | control | Event field tier_selected
000:event:fallback-occurred | control | Event field tier_fallback_occurred
000:event:fallback-reason | control | Event field fallback_reason
000:event:analysis-time | control | Event field analysis_time_ms
000:event:processing-time | control | Event field processing_time_ms
000:event:total-time | control | Event field total_time_ms
000:event:llm-tokens | cost | Event field llm_tokens_used, LLM only
000:event:estimated-cost | cost | Event field estimated_cost_usd, unknown allowed
000:event:quality-score | control | Event field output_quality_score
000:event:satisfaction | control | Event field user_satisfaction_rating
000:event:server-instance | spine | Event field server_instance
000:event:api-version | control | Event field api_version
000:event:user-role | control | Event field user_role
000:event:specialty | control | Event field specialty_context (cardiology, emergency ...)
000:tracker:class | control | `TierUsageTracker` follows tier use in real time
000:tracker:windows | control | Sliding windows of an hour, a day and a week
000:tracker:configurable-windows | control | Windows are configurable
000:tracker:update-usage-metrics | control | `update_usage_metrics(event)` updates all windows
000:tracker:current-percentages | control | `get_current_usage_percentages(window)` gives each
    tier's share now
000:tracker:optimization-score | control | `calculate_cost_optimization_score()` gives 0.0-1.0
000:tracker:detect-usage-drift | control | `detect_usage_drift()` lists significant deviations as
    `UsageDriftAlert`
000:counter:sliding-window | control | `SlidingWindowCounter(window_size)` counts exactly over a
    moving window
000:baseline:class | control | `BaselineCalculator` computes baselines that adapt while cost stays
    controlled
000:baseline:starting-values | control | Starting baselines: emergency .65/.25/.10, cardiology
    .75/.20/.05, oncology .60/.25/.15, general .75/.18/.07
000:baseline:adaptive | control | `calculate_adaptive_baseline(specialty, historical_data)` computes
    a context-aware baseline from history
000:baseline:system-changes | control | `detect_system_changes(recent_events)` names changes that
    ask for a new baseline
000:alerts:cost-alert-manager | alerts | `CostAlertManager` evaluates cost and usage thresholds
000:alerts:slack | alerts | Slack notifier
000:alerts:email | alerts | E-mail notifier
000:alerts:dashboard-channel | alerts | Dashboard notifier
000:alerts:throttling | alerts | Alerts are throttled intelligently (`AlertThrottlingController`)
000:alerts:escalation-manager | alerts | `EscalationManager` escalates and schedules reviews
000:alerts:evaluate-thresholds | alerts | `evaluate_cost_thresholds(usage)` compares usage with
    warning and critical thresholds
000:alerts:level-enum | alerts | `AlertLevel`: WARNING, CRITICAL
000:alerts:warning-level | alerts | Above the alert threshold: WARNING
000:alerts:critical-level | alerts | Above the critical threshold: CRITICAL and a code review
000:alerts:trigger-multi-channel | alerts | One alert goes to several channels with analytics and
    recommendations
000:config:class | control | `CostMonitoringConfig` collects thresholds
000:config:rule-based-target | control | rule_based_target = 0.75
000:config:template-target | control | template_target = 0.18
000:config:llm-target | control | llm_target = 0.07
000:config:llm-warning | alerts | llm_warning_threshold = 0.20, relative to the target
000:config:llm-critical | alerts | llm_critical_threshold = 0.30, relative to the target
000:config:llm-alert-name | alerts | The seed's code says llm_alert_threshold where its config says
    llm_warning_threshold
000:config:evaluation-window | alerts | alert_evaluation_window_hours = 4
000:config:baseline-days | control | baseline_calculation_window_days = 7
000:config:max-llm-per-hour | control | max_llm_requests_per_hour = 100
000:config:protection-enabled | control | cost_protection_enabled = true switches protection
000:config:sustained-hours | alerts | sustained_violation_hours = 8 before a review
000:config:review-cooldown | alerts | code_review_cooldown_days = 7 between reviews
000:throttle:controller | control | `ThrottlingController` protects against spikes while keeping
    quality
000:throttle:adaptive-limiter | control | `AdaptiveRateLimiter` adapts its limit to conditions
000:throttle:cost-estimator | control | `CostEstimator` projects what a request will cost
000:throttle:degradation-controller | control | `ServiceDegradationController` degrades gracefully
000:throttle:should-throttle | control | `should_throttle_request(context)` returns a decision from
    current use and projected cost
000:throttle:request-context | control | `RequestContext` describes the request to judge
000:throttle:decision-fields | control | A decision carries strategy, parameters and request_id
000:throttle:apply-strategy | control | `apply_throttling_strategy(decision)` carries the decision
    out and returns a result
000:throttle:rate-limit | control | Strategy RATE_LIMIT
000:throttle:degrade | control | Strategy DEGRADE_TO_TEMPLATE: a cheaper tier is forced
000:throttle:queue | control | Strategy QUEUE_REQUEST: the request waits for later processing
000:layout:package | spine | Monitoring is its own package with one module per concern
000:layout:event-retrieval | web | Stored events can be fetched again, not only aggregated
    (`event_logger`: persistence and retrieval)
000:layout:event-analytics | control | Event analysis and reporting module
000:layout:monitoring-api | web | REST API for monitoring data
000:layout:dashboard-models | web | Typed models for dashboard data
000:layout:cost-analytics | cost | Cost analysis service
000:test:sliding-window | control | Unit test: accuracy of sliding windows of various sizes
000:test:threshold-logic | alerts | Unit test: alert threshold arithmetic and triggering
000:test:throttle-decisions | control | Unit test: throttle decisions under various loads
000:test:event-completeness | spine | Unit test: event logging complete and fast
000:test:summarizer-integration | examples | Integration test: end to end with a FHIR bundle
    summariser
000:test:mock-channels | alerts | Integration test: alerts against stand-in channels
000:test:usage-spikes | control | Integration test: cost protection under simulated spikes
000:test:dashboard-consistency | web | Integration test: dashboard API agrees with the stored data
000:test:high-volume-logging | time | Performance test: high-volume event logging and storage
    efficiency
000:test:analytics-under-load | time | Performance test: real-time analytics under load
000:test:window-memory | control | Performance test: memory of sliding windows
000:test:cost-spike-simulation | control | Simulation: cost spike and throttle response
000:test:specialty-simulation | control | Simulation: usage by specialty and baseline adaptation
000:test:drift-simulation | control | Simulation: long-term drift leads to a code review
000:dod:docs-guides | alerts | Documentation has a monitoring configuration guide and an alert setup
    guide
000:dod:load | time | Performance tests confirm high-volume production load
000:dep:summarizer-points | examples | Events come from integration points of the adaptive framework
000:dep:llm-cost-tracking | cost | Cost tracking is ready for LLM integration
000:dep:delivery | alerts | Slack and an e-mail service as external delivery services
000:dep:time-series-db | spine | Optional time-series database for events
000:dep:dashboard-framework | web | A dashboard framework for the UI
000:prio:proactive | control | Drift is found before costs hurt
000:prio:alert-fatigue | alerts | Alert fatigue is avoided by throttling and escalation
000:prio:abuse | control | Safeguards against system abuse
000:rel:under-10ms | spine | Event logging costs under 10 ms per event
000:rel:isolation | spine | A failing monitor never affects the monitored function
000:rel:alert-availability | alerts | Alerting is highly available over several channels
000:rel:quality-under-throttle | control | Service quality is kept while throttling
000:ext:channel-plugins | alerts | Further channels are plug-ins
000:ext:configurable-baselines | control | Thresholds and baseline calculations are configurable
000:ext:custom-rules | alerts | Custom alert rules
000:ext:custom-escalation | alerts | Custom escalation procedures
000:ext:api-driven | web | External systems integrate through an API
000:sec:no-phi | spine | Events hold no patient or other sensitive information
000:sec:aggregate-notifications | alerts | Notifications carry aggregates and system metrics only
000:sec:authn-authz | web | Monitoring APIs need authentication and authorisation
000:sec:audit | web | Access and configuration changes are audited
"""
"""tier-usage-and-cost-control.md"""

SEED_001 = """
001:calls:analytics | upstream | Analytics of upstream API calls: counts, response times, error
    rates, cache performance
001:calls:track-api-call | upstream | `track_api_call(...)` records one call to an upstream API
001:calls:endpoint-enum | upstream | `FDAAPIEndpoint` is a closed set of endpoints (device/510k ...)
001:calls:field-endpoint | upstream | Call field endpoint
001:calls:field-method | upstream | Call field HTTP method
001:calls:field-query-params | upstream | Call field query_params
001:calls:field-response-time | upstream | Call field response_time_ms
001:calls:field-status-code | upstream | Call field status_code
001:calls:field-success | upstream | Call field success
001:calls:field-cache-hit | upstream | Call field cache_hit and a cache hit rate in analytics
001:calls:field-user-id | upstream | Call field user_id and attribution by user
001:calls:field-project-id | upstream | Call field project_id and attribution by project
001:calls:field-response-size | upstream | Call field response_size_bytes
001:calls:field-rate-limit | upstream | Call field rate_limit_remaining
001:circuit:state | upstream | State of each circuit breaker is tracked
001:circuit:failures | upstream | Failure counts of each breaker
001:circuit:recovery | upstream | Recovery (half-open, closed again) is monitored
001:circuit:statistics | upstream | Statistics of breakers over time
001:cost:per-request | cost | Price per request is configurable per upstream API
001:cost:estimate | cost | Cost of API usage is estimated and tracked
001:prom:metrics | export | Prometheus metrics for the monitor
001:prom:own-registry | export | A registry of its own avoids collisions
001:rules:configurable | alerts | Alert rules with thresholds can be configured
001:report:generate | upstream | `generate_usage_report(start_date, end_date, ...)` builds one
    report over a window
001:report:include-flags | upstream | Flags include_cost_analysis, include_performance_analysis,
    include_error_analysis
001:report:summary | upstream | Report section summary
001:report:cost-section | upstream | Report section cost_analysis
001:report:performance-section | upstream | Report section performance_analysis
001:report:error-section | upstream | Report section error_analysis
001:report:recommendations | upstream | Report section recommendations (optimisation hints)
001:health:comprehensive | upstream | `get_comprehensive_health_status()` gives the whole state at
    once
001:health:system-health | upstream | Part system_health
001:health:component-status | upstream | Part component_status
001:health:api-metrics | upstream | Part fda_api_metrics
001:health:recent-alerts | upstream | Part recent_alerts
001:health:performance-trends | upstream | Part performance_trends
001:health:run-check | upstream | `run_health_check(component)` checks one component now
001:health:check-result | upstream | A check returns status, response time, message, details
001:health:endpoints | upstream | Health checks for every upstream endpoint
001:health:cache | upstream | Health check of the cache system
001:health:database | upstream | Health check of the database
001:health:monitoring | spine | Health check of the monitor itself
001:health:pluggable | upstream | Health checks are pluggable
001:health:dashboard | web | Real-time dashboard of health, components, performance
001:health:status-page | web | Public status page of upstream availability
001:health:history | upstream | Health history is kept
001:health:history-statistics | upstream | Statistics and trend of the history (availability)
001:health:background | upstream | Checks run in the background
001:health:intervals | upstream | Check intervals are configurable
001:alerts:email | alerts | Channel e-mail
001:alerts:slack | alerts | Channel Slack
001:alerts:pagerduty | alerts | Channel PagerDuty
001:alerts:webhook | alerts | Channel webhook
001:alerts:sms | alerts | Channel SMS
001:alerts:lifecycle | alerts | Life cycle: triggered, acknowledged, resolved
001:alerts:correlation | alerts | Related alerts are grouped to reduce noise
001:alerts:rate-limit | alerts | Notifications are rate limited
001:alerts:escalation | alerts | Unacknowledged critical alerts escalate by themselves
001:alerts:statistics | alerts | Statistics: alert patterns, resolution times
001:alerts:rule-name | alerts | `AlertRule.name`
001:alerts:rule-type | alerts | `AlertRule.alert_type` from a closed set `AlertType`
    (HIGH_ERROR_RATE ...)
001:alerts:rule-threshold | alerts | `AlertRule.threshold`
001:alerts:rule-window | alerts | `AlertRule.time_window_minutes`
001:alerts:rule-severity | alerts | `AlertRule.severity` from `AlertSeverity` (HIGH ...)
001:alerts:rule-channels | alerts | `AlertRule.notification_channels` names channels
001:alerts:trigger-alert | alerts | `trigger_alert(rule, trigger_data)` lets the application raise
    an alert and returns its id
001:alerts:trigger-data | alerts | The alert keeps the data that triggered it (endpoint, error rate)
001:rest:usage | web | REST: usage analytics
001:rest:performance | web | REST: performance metrics
001:rest:health | web | REST: health status and component checks
001:rest:rules-crud | web | REST: create, read, update, delete alert rules
001:rest:lifecycle | web | REST: acknowledge, resolve
001:rest:cost-estimates | web | REST: cost estimates
001:rest:projections | web | REST: cost projections
001:rest:breakdowns | web | REST: usage and cost breakdowns
001:rest:circuits | web | REST: breaker states and statistics
001:rest:recent-calls | web | REST: recent API calls for debugging
001:rest:cache-management | open | REST: cache management -- the monitor owns no cache of an
    application
001:rest:diagnostics | web | REST: system diagnostics
001:test:unit | spine | Unit tests of every component
001:test:integration | spine | Tests of components together and of shared instances
001:test:edge | spine | Tests of error handling, overflow and failures
001:test:performance | time | Tests of metric arithmetic and analytics speed
001:test:isolation | alerts | External dependencies are isolated in tests
001:test:async-runs | spine | The async test suite really runs (the seed's did not)
001:test:imports | spine | All modules, the HTTP one included, import in a fresh clone (the seed's
    did not)
001:test:real-api | upstream | Test against a real upstream API with a key
001:test:redis | open | Test with Redis -- no part of the design needs Redis
001:test:email | alerts | Test of e-mail delivery against a mail server
001:test:report-honesty | spine | What was skipped or failed is reported with command and reason
001:arch:separation | spine | Monitoring, health and alerting are separate
001:arch:injection | spine | Dependencies are injected, with fallback when missing
001:arch:plugins | alerts | Channels and health checks are plug-ins
001:arch:cleanup-tasks | time | Automated clean-up tasks run in the background
001:arch:multi-level | export | Metrics at API, system and business level
001:arch:history | time | Trends and performance history
001:arch:ring-buffers | spine | Recent data sit in bounded buffers with configurable limits
001:arch:async | spine | Nothing blocks; high throughput
001:arch:redis | time | Redis optionally for persistence and cache
001:arch:aggregation | time | Statistics and trends are aggregated efficiently
001:arch:fallbacks | spine | Errors are handled and fall back
001:config:channels | alerts | SMTP, Slack webhook, PagerDuty key come from configuration
001:config:api-keys | upstream | Upstream API keys come from configuration
001:config:thresholds | alerts | Thresholds are tuned per environment
001:config:no-redis-start | spine | All services start without optional servers
001:obs:structured-logs | export | Structured logging
001:obs:distributed-tracing | export | Distributed tracing
001:future:advanced-correlation | alerts | Advanced alert correlation (future)
001:future:ml-anomaly | alerts | Anomaly detection by learning (future)
001:future:multi-region | scale-out | Multi-region monitoring (future)
"""
"""api-monitoring-and-alerting.md"""

SEED_002 = """
002:core:metrics-collector | spine | `MetricsCollector` aggregates all metrics centrally
002:core:usage-tracker | spine | `UsageTracker` follows documents and queries
002:core:performance-monitor | spine | `PerformanceMonitor` follows response time and throughput
002:core:cost-calculator | spine | `CostCalculator` attributes LLM and storage cost
002:core:metrics-exporter | spine | `MetricsExporter` exports to several systems
002:store:in-memory-hour | time | The last hour is in memory for fast access
002:store:lance | spine | History in Lance tables of its own
002:store:export-targets | export | Metrics also go to Prometheus, CloudWatch and others
002:usage:track-document-access | spine | `track_document_access(document_id, operation, agent_id,
    metadata)` records an access
002:usage:access-operations | spine | Access operations read, search_hit, update, delete
002:usage:access-metadata | spine | Free metadata dictionary on an access
002:usage:track-query | spine | `track_query(query, query_type, result_count, execution_time_ms,
    agent_id)` records a query
002:usage:query-types | spine | Query types vector, text, hybrid, sql
002:usage:query-text | spine | The query text is given to be analysed
002:usage:get-usage-stats | spine | `get_usage_stats(start_time, end_time, group_by)` returns
    `UsageStats`
002:usage:collector-get-usage-stats | spine | The collector answers get_usage_stats(start, end) too
    (the dashboard calls it there)
002:usage:group-by | spine | Grouping by hour, day, week
002:usage:frequency | spine | Access frequency per document
002:usage:query-patterns | spine | Query patterns and types
002:usage:click-through | spine | Relevance of results by click-through
002:usage:collections | spine | Use of collections
002:usage:time-patterns | spine | Access patterns over time
002:perf:start-operation | spine | `start_operation(operation_id, operation_type, agent_id)` starts
    and returns an `OperationContext`
002:perf:operation-types | spine | Operation types tool_call, resource_read, subscription
002:perf:end-operation | spine | `end_operation(operation_id, status, result_size, error)` ends it
002:perf:status | spine | Status success, error, timeout
002:perf:record-metric | spine | `record_metric(name, value, tags)` records a custom metric
002:perf:custom-read-back | spine | Custom metrics can be read again in reports and exports
002:perf:percentiles | spine | p50, p95, p99 of response times
002:perf:throughput | spine | Request throughput
002:perf:error-rates | spine | Error rate by operation
002:perf:resource-utilization | spine | Resource utilisation
002:perf:queue-depth | export | Queue depths of batch operations
002:perf:active-connections | spine | Active connections
002:cost:pricing-config | spine | `CostCalculator(pricing_config)` takes a `PricingConfig` with
    llm_pricing and storage_pricing
002:cost:track-llm-usage | spine | `track_llm_usage(provider, model, input_tokens, output_tokens,
    operation_id, agent_id)` records and prices
002:cost:returns-float | spine | The track methods return the cost as a number
002:cost:track-storage | spine | `track_storage_usage(operation, size_bytes, agent_id)` for read,
    write, delete
002:cost:get-cost-report | spine | `get_cost_report(start_time, end_time, group_by)` returns
    `CostReport`
002:cost:group-by | spine | Cost by agent, operation or model
002:cost:llm-by-provider | cost | LLM calls by provider and model
002:cost:storage | cost | Cost of storage reads and writes
002:cost:bandwidth | cost | Cost of bandwidth
002:cost:compute | cost | Cost of compute time of operations
002:cost:allocation | cost | Cost by agent and purpose
002:schema:usage-timestamp | spine | usage_metrics.timestamp, microseconds UTC
002:schema:usage-metric-type | spine | usage_metrics.metric_type
002:schema:usage-resource-id | spine | usage_metrics.resource_id
002:schema:usage-operation | spine | usage_metrics.operation
002:schema:usage-agent-id | spine | usage_metrics.agent_id
002:schema:usage-value | spine | usage_metrics.value, float64
002:schema:usage-metadata | spine | usage_metrics.metadata, JSON string
002:schema:perf-timestamp | spine | performance_metrics.timestamp
002:schema:perf-operation-id | spine | performance_metrics.operation_id
002:schema:perf-operation-type | spine | performance_metrics.operation_type
002:schema:perf-agent-id | spine | performance_metrics.agent_id
002:schema:perf-duration | spine | performance_metrics.duration_ms
002:schema:perf-status | spine | performance_metrics.status
002:schema:perf-error | spine | performance_metrics.error
002:schema:perf-result-size | spine | performance_metrics.result_size
002:schema:cost-timestamp | spine | cost_metrics.timestamp
002:schema:cost-operation-id | spine | cost_metrics.operation_id
002:schema:cost-type | spine | cost_metrics.cost_type: llm, storage, bandwidth
002:schema:cost-provider | spine | cost_metrics.provider
002:schema:cost-amount | spine | cost_metrics.amount_usd
002:schema:cost-units | spine | cost_metrics.units: tokens, bytes, requests
002:schema:cost-agent-id | spine | cost_metrics.agent_id
002:schema:cost-metadata | spine | cost_metrics.metadata
002:tools:usage | spine | Tool get_usage_metrics for documents and queries
002:tools:performance | spine | Tool get_performance_metrics
002:tools:cost | spine | Tool get_cost_report
002:tools:export | spine | Tool export_metrics to an external system
002:tools:typed | spine | Each tool has typed parameters and a typed result
002:tools:in-own-server | spine | The tools are registered in the monitored server itself
    (`tool_registry`)
002:handler:generated-id | spine | The message handler gives each operation an id
002:handler:method-as-type | spine | The message's method is the operation type
002:handler:agent-id | spine | The agent is taken from the message
002:handler:success | spine | Success is recorded with the result's size
002:handler:error | spine | An exception is recorded and raised again
002:handler:own-class | spine | A hand-written handler (dict in, dict out) can be monitored
002:analytics:integration | examples | Works beside dataset analytics: dataset-level insight and
    operation-level metrics in one view
002:config:enabled | spine | enabled = true; off means nothing is recorded
002:config:retention | time | metrics_retention_days = 30
002:config:intervals | time | aggregation_intervals 1m, 5m, 1h, 1d
002:config:slow-query | spine | slow_query_threshold_ms = 1000
002:config:error-rate | spine | error_rate_threshold = 0.05
002:config:track-costs | spine | track_costs = true
002:config:pricing-path | cost | pricing_config_path
002:config:prometheus-enabled | export | prometheus_enabled = false
002:config:prometheus-port | export | prometheus_port = 9090
002:config:cloudwatch-enabled | export | cloudwatch_enabled = false
002:config:cloudwatch-namespace | export | cloudwatch_namespace = "ContextFrame/MCP"
002:dashboard:class | web | `MonitoringDashboard(metrics_collector)` is a simple web dashboard
002:dashboard:fastapi | web | The dashboard is a FastAPI application
002:dashboard:usage-route | web | GET /metrics/usage with start and end, last hour by default
002:order:exporter | export | Prometheus exporter
002:order:alerting-rules | alerts | Alerting rules
002:order:existing-tools | spine | Usage tracking works with the existing tools without changing
    them
002:ok:overhead | spine | Under 5 % overhead on operations
002:ok:completeness | spine | 100 % of operations tracked
002:ok:cost-accuracy | cost | Cost within 5 % of the real one
002:ok:query-speed | time | Metric queries under 100 ms
002:ok:integration | spine | Works with all existing tools
002:test:unit | spine | Unit tests of each component alone
002:test:integration | spine | End-to-end tests
002:test:overhead | spine | Tests of the overhead
002:test:cost-accuracy | cost | Tests of the cost arithmetic
002:test:load | time | Load tests with high volume
002:future:anomaly | alerts | Anomaly detection by learning (future)
002:future:predictive-cost | cost | Predictive cost model (future)
002:future:auto-scaling | open | Auto-scaling recommendations (future) -- the tables hold no limits
    of what could be scaled
002:future:suggestions | open | Performance optimisation suggestions (future) -- a suggestion needs
    evidence that the reports do not hold yet
002:future:custom-rules | alerts | Custom alert rules (future)
"""
"""mcp-production-monitoring.md"""

SEED_003 = """
003:desc:realtime | spine | Metrics in real time
003:desc:historical | time | Historical analysis
003:desc:predictive | cost | Predictive insight
003:costs:path | web | GET /admin/statistics/costs
003:costs:period | cost | Parameter period: today, week, month, year
003:costs:group-model | cost | group_by model
003:costs:group-feature | cost | group_by feature
003:costs:group-user-tier | cost | group_by user_tier
003:costs:out-period | cost | Answer key period, the asked word
003:costs:out-total | cost | Answer key total_cost
003:costs:out-breakdown | cost | Answer key breakdown: category, cost, percentage, count
003:costs:out-percentage | cost | Percentages of the total, one decimal
003:costs:out-trend | cost | Answer key trend: date, cost
003:costs:out-estimated | cost | Answer key projection.estimated_monthly
003:costs:out-budget-status | cost | Answer key projection.budget_status
003:costs:out-days-left | cost | Answer key projection.days_until_budget_limit
003:dialogues:path | web | GET /admin/statistics/dialogues
003:dialogues:period | web | Parameter period
003:dialogues:group-by | web | group_by book, user, model, type
003:dialogues:total | web | total_dialogues
003:dialogues:unique-users | web | unique_users
003:dialogues:count | web | breakdown: category, count
003:dialogues:average-messages | web | breakdown: average_messages
003:dialogues:average-duration | web | breakdown: average_duration
003:dialogues:rating | web | satisfaction.average_rating
003:dialogues:feedback-count | web | satisfaction.feedback_count
003:dialogues:unicode | spine | Categories are any Unicode text (book titles)
003:alertsapi:path | web | GET /admin/monitoring/alerts
003:alertsapi:severity | alerts | Filter severity: info, warning, error, critical
003:alertsapi:status | alerts | Filter status: active, resolved, all
003:alertsapi:type-filter | alerts | Alerts can be asked for by type
003:alertsapi:shape | alerts | Alert: id, severity, type, message, details, status, created_at
003:alertsapi:details | alerts | details: current_cost, budget, percentage
003:alertsapi:budget-share | alerts | Example rule: daily cost above 80 % of the budget, type
    high_cost
003:agg:table | time | Table metrics_aggregation keeps pre-aggregated values
003:agg:type-key | time | Columns metric_type and metric_key
003:agg:time-bucket | time | Column time_bucket
003:agg:dimensions | time | Column dimensions, free JSON
003:agg:value | time | Column value, 4 decimals
003:agg:count | time | Column count
003:agg:unique-upsert | time | One row per key, bucket and dimensions; a second write adds
003:tables:indexes | time | Indexes for the columns that queries filter by (type, key, time,
    service, user, session, severity, status, endpoint)
003:tables:id-created | spine | Every row has an id and created_at
003:ctab:service | cost | cost_tracking.service
003:ctab:operation | cost | cost_tracking.operation
003:ctab:cost | cost | cost_tracking.cost, 4 decimals
003:ctab:tokens | cost | cost_tracking.tokens_input and tokens_output
003:ctab:user-id | cost | cost_tracking.user_id
003:ctab:user-tier | cost | cost_tracking.user_tier
003:ctab:session-id | cost | cost_tracking.session_id
003:ctab:metadata | cost | cost_tracking.metadata
003:atab:severity | alerts | system_alerts.severity
003:atab:type | alerts | system_alerts.type
003:atab:message | alerts | system_alerts.message
003:atab:details | alerts | system_alerts.details
003:atab:status | alerts | system_alerts.status, active at first
003:atab:threshold | alerts | system_alerts.threshold_value
003:atab:actual | alerts | system_alerts.actual_value
003:atab:created | alerts | system_alerts.created_at
003:atab:acknowledged | alerts | system_alerts.acknowledged_at and acknowledged_by
003:atab:resolved | alerts | system_alerts.resolved_at and resolved_by
003:rtab:name | alerts | alert_rules.name
003:rtab:type | alerts | alert_rules.type
003:rtab:condition | alerts | alert_rules.condition, JSON
003:rtab:severity | alerts | alert_rules.severity
003:rtab:threshold | alerts | alert_rules.threshold
003:rtab:time-window | alerts | alert_rules.time_window in seconds
003:rtab:channels | alerts | alert_rules.notification_channels, objects with type and address
003:rtab:is-active | alerts | alert_rules.is_active
003:rtab:created | alerts | alert_rules.created_at
003:ptab:name | spine | Table performance_metrics of HTTP requests
003:ptab:endpoint | spine | endpoint
003:ptab:method | spine | method
003:ptab:status-code | spine | status_code
003:ptab:response-time | spine | response_time in ms
003:ptab:user-id | spine | user_id
003:ptab:ip-address | export | ip_address
003:ptab:user-agent | export | user_agent
003:coll:track-cost | cost | `MetricsCollector.track_cost(service, operation, cost, ...)` records a
    known cost
003:coll:cost-alert-check | alerts | A recorded cost checks the cost alerts
003:coll:track-dialogue | spine | `MetricsCollector.track_dialogue(session_id, book_id, ...)`
    records a dialogue
003:coll:buffer | spine | Metrics are buffered and written in batches (100 or 10 s)
003:coll:flush-interval | spine | flush_interval of 10 s
003:coll:flush-metrics | spine | `flush_metrics()` writes what waits
003:coll:switch | spine | Collection can be switched on and off while running
003:coll:batch-upsert | time | Batches are aggregated before they are stored
003:alertmgr:check-rules | alerts | `AlertManager.check_alert_rules()` evaluates all active rules
003:alertmgr:evaluate-rule | alerts | `evaluate_rule(rule)` answers whether it fires
003:alertmgr:cost-threshold | alerts | Rule type cost_threshold over a window
003:alertmgr:error-rate | alerts | Rule type error_rate
003:alertmgr:response-time | alerts | Rule type response_time, mean
003:alertmgr:api-failure | alerts | Rule type api_failure, count
003:alertmgr:trigger | alerts | `trigger_alert(rule)` creates one alert with message, details,
    threshold, actual
003:alertmgr:dedup | alerts | An active alert of the same rule is not created twice
003:alertmgr:send | alerts | `send_notifications(alert, channels)` delivers
003:alertmgr:email | alerts | Channel e-mail with recipients
003:alertmgr:webhook | alerts | Channel webhook with url
003:alertmgr:sms | alerts | Channel SMS with numbers
003:stats:get-cost-statistics | cost | `StatisticsService.get_cost_statistics(period, group_by)`
003:stats:model-category | cost | Category of a model group is service_operation
003:stats:order | cost | Breakdown ordered by cost, highest first
003:stats:projection | cost | Projection = daily mean x days of the period
003:stats:budget-states | cost | under_budget below 80 %, on_track below 100 %, else over_budget;
    no_budget without one
003:stats:zero-safe | cost | No division by zero at the period's start or at zero cost
003:perf:track-request | spine | `PerformanceMonitor.track_request(request, response, duration)`
    records an HTTP request of the application
003:perf:slow-alert | alerts | A request slower than 2 s raises a performance alert
003:perf:summary | spine | `get_performance_summary(period)`
003:perf:sum-total-avg | spine | Summary: total_requests, avg_response_time
003:perf:sum-percentiles | spine | Summary: p50, p95, p99
003:perf:sum-errors | spine | Summary: errors (status 500 and above)
003:perf:sum-slow | spine | Summary: slow_requests (above 2000 ms)
003:ok:four-decimals | cost | Cost exact to 4 decimals
003:ok:aggregation | time | Statistics aggregate correctly
003:ok:alerts-by-rule | alerts | Alerts trigger by rules
003:ok:history | time | Historical data are preserved
003:ok:projection | cost | Projections are accurate
003:ok:performance-collected | spine | Performance metrics are collected
003:ok:one-second | time | Statistics API answers within 1 s
003:ok:no-impact | spine | Collection does not slow the main APIs
003:ok:every-minute | alerts | Alert checks run every minute
003:ok:index-use | time | Aggregations use indexes
003:ok:no-loss | time | The buffer loses nothing
003:ok:dedup | alerts | Alert deduplication works
003:ok:bills | cost | Cost equals the provider's bill
003:ok:sampling | time | Performance data are sampled appropriately
003:test:cost | cost | Test: a tracked cost is stored exactly
003:test:rule-evaluation | alerts | Test: ten costs above a threshold make the rule fire
003:test:dialogue-statistics | web | Test: 100 dialogues give total 100 and a breakdown
003:test:end-to-end | examples | Test: user, dialogue, messages, metrics, cost, alerts
003:test:slow-request | alerts | Test: a 3 s request appears in slow_requests, p99 and as an alert
003:test:overhead | spine | Test: collection costs an API under 5 %
003:test:query-speed | time | Test: statistics over 10,000 costs within 1 s
003:rules:high-daily-cost | alerts | Default rule: daily cost of all services above 500, warning
003:rules:api-error-rate | alerts | Default rule: error rate above 5 % in 5 minutes for 500, 502,
    503, critical
003:rules:slow-response | alerts | Default rule: p95 above 2000 ms in 10 minutes, warning
003:bucket:sizes | time | Aggregation buckets minute, hour, day, week, month
003:bucket:get-time-bucket | time | `get_time_bucket(timestamp, size)` rounds down
003:dep:timescale | spine | TimescaleDB for time series
003:dep:redis | spine | Redis for buffering
003:dep:apscheduler | alerts | APScheduler for periodic checks
003:dep:grafana | export | Grafana optional
003:dep:smtp-sms | alerts | SMTP and SMS services
003:rel:admin-dashboard | web | Fits into an admin dashboard
003:rel:ai-cost | cost | Takes costs from AI usage
003:rel:revenue | open | Revenue tracking (related task of the seed) -- income is not monitored,
    only cost
"""
"""statistics-api.md"""

SEED_004 = """
004:ac:endpoint | web | GET /orchestrate/metrics
004:ac:business-metrics | examples | SMS volume, response times, approval rates, escalations are
    collected
004:ac:correlation | export | Structured logs with correlation ids trace a request
004:ac:performance | spine | Processing times and throughput are monitored
004:ac:dashboard-format | export | Metrics come in a format that dashboards read
004:svc:metrics-service | examples | `MetricsService` collects metrics
004:svc:sms-volume | examples | SMS volume by hour, day, week
004:svc:response-aggregation | spine | Response times are aggregated
004:svc:approval-rate | examples | Approval rate: automatic, manual, escalated
004:svc:escalations | examples | Escalations by type, severity and resolution time
004:svc:payment-plans | examples | Payment plan detection, validation, automatic approval
004:svc:throughput | spine | Throughput monitoring
004:log:enhance | export | Structured logging module for applications
004:log:correlation-middleware | export | Correlation id generated and propagated by middleware
004:log:trace-services | export | A request is traced over all service calls
004:log:business-events | export | Key business events are logged in structure
004:log:aggregation-filter | export | Logs can be aggregated and filtered
004:log:timings | export | Log lines carry timings
004:log:sampling | export | High-volume lines are sampled
004:log:json-format | export | JSON with correlation id, timestamp, level, message, context
004:log:structlog | export | Library structlog 23 or later
004:log:uuid-per-request | export | A correlation id per request (UUID)
004:log:service-context | export | Lines carry service name, version, environment
004:log:user-context | export | Lines carry tenant_id, conversation_id, workflow_id
004:log:error-detail | export | Error lines carry context, stack trace and user impact
004:log:levels | export | Log levels per environment
004:log:id-strategy | export | Strategy of correlation id generation is configurable
004:log:perf-sampling | export | Sampling rate of performance lines is configurable
004:log:retention | export | Log retention and archiving
004:api:router | web | Metrics router and response schemas (`MetricsResponse`)
004:api:time-range | spine | Time range filter
004:api:json | web | JSON ready for dashboards
004:api:caching | time | Metrics are cached for speed
004:api:health-indicators | web | The metrics answer includes health indicators
004:api:last-hour-received | web | last_hour.sms_received
004:api:last-hour-ai | web | last_hour.ai_responses
004:api:last-hour-approval | web | last_hour.auto_approval_rate
004:api:last-hour-time | web | last_hour.avg_response_time_ms
004:api:today-total | web | today.total_messages
004:api:today-escalations | web | today.escalations
004:api:today-plans | web | today.payment_plans
004:perf:service-timing | spine | All critical service operations are timed
004:perf:database | export | Database queries are timed
004:perf:external-calls | upstream | Calls to external services are timed
004:perf:workflow-steps | examples | Workflow steps are timed, with completion, failure and recovery
004:perf:throughput-baseline | alerts | Throughput has baselines
004:perf:thresholds | alerts | Alert thresholds for performance
004:perf:cpu-memory | export | Memory and CPU are monitored
004:perf:connections | export | Connection pools are monitored
004:perf:ai-generation | examples | AI generation time and confidence scores
004:perf:concurrency | spine | Concurrent processing capacity
004:perf:error-rates | spine | Error rates by type, service and period
004:perf:circuit-status | upstream | Breaker status: availability, failures, transitions
004:perf:p90 | spine | P50, P90, P99 of all operations
004:perf:availability | upstream | Availability: uptime
004:perf:nonblocking | spine | Timing never blocks
004:int:orchestration | examples | Orchestration service records SMS metrics
004:int:ai | examples | AI service records response times
004:int:approval | examples | Approval service records approvals
004:int:escalation | examples | Escalation service records escalations
004:int:payment-plan | examples | Payment plan service records detections
004:int:workflow | examples | Workflow service records steps
004:int:clients | examples | External clients record calls, failures, breaker state
004:dash:exposition | export | Prometheus exposition format
004:dash:counter-gauge | export | Counter and gauge types as fitting
004:dash:histogram | export | Histograms of response times
004:dash:labels | export | Labels for service, operation, status
004:dash:streaming | web | Metrics are streamed in real time
004:dash:rollups | time | Aggregation and rollup functions
004:dash:alert-definitions | alerts | Alert rule definitions for critical metrics
004:dash:retention | time | Historical retention and archiving
004:dash:export | export | Metrics export
004:graf:overview | export | Grafana: real-time overview
004:graf:service-detail | export | Grafana: performance of each service
004:graf:history | export | Grafana: historical trends and comparison
004:graf:thresholds | export | Grafana: alert thresholds shown and set
004:graf:business | export | Grafana: business metrics for operational teams
004:cfg:retention-by-type | time | Retention per metric type
004:cfg:intervals | time | Aggregation intervals 1 min, 5 min, 1 h, 1 day
004:cfg:metric-sampling | time | Sampling rates for high-volume metrics
004:cfg:thresholds | alerts | Thresholds for critical metrics
004:rule:pydantic | spine | Input from outside is validated by Pydantic models
004:rule:service-layer | web | Routes never touch the database directly
004:rule:timeouts | alerts | External calls have timeouts
004:rule:async | spine | External calls are asynchronous
004:rule:status-codes | web | Errors map to proper status codes
004:mon:realtime-health | upstream | Service health and availability in real time
004:mon:error-alerting | alerts | Error rates are followed and alerted
004:hist:trends | spine | Trend analysis of performance
004:hist:seasonal | open | Seasonal patterns of business metrics -- group_by hour shows the pattern;
    nothing names it yet
004:hist:capacity | open | Capacity planning from growth -- only cost is projected
004:hist:opportunities | open | Optimisation opportunities -- a hint needs evidence that the reports
    do not hold yet
004:test:accuracy | spine | Tests of collection accuracy
004:test:correlation | export | Tests of correlation ids over service boundaries
004:test:load | time | Tests under different load
004:test:format | export | Tests of format against monitoring systems
004:test:rollups | time | Tests of aggregation and rollup
004:test:thresholds | alerts | Tests of threshold configuration and triggering
004:test:coverage | spine | 80 % line coverage of the collection paths
004:test:pytest | spine | pytest with async tests
"""
"""metrics-and-logging.md"""
