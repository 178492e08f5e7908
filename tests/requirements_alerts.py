"""Every sentence of issue 6, alerts: `id | part | sentence`. Read by tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

ALERTS = """
alerts:rules:model | alerts | A rule has signal, filter, group_by, comparison, threshold, window,
    `for`, `keep_firing_for`, severity, labels, annotations, channels and `is_active`
alerts:rules:relative | alerts | Thresholds are absolute or relative to a target, a baseline or the
    previous window
alerts:rules:recovery | alerts | Between threshold and recovery threshold nothing changes
alerts:rules:templates | alerts | Annotations have templates; recursive ones are refused
alerts:rules:signals | alerts | Every signal has the value that the reports have
alerts:rules:anomaly | alerts | `anomaly` hits the labelled windows with no alarm outside
alerts:rules:anomaly-silent | alerts | `anomaly` is silent on flat and clean periodic series
alerts:rules:inhibit | alerts | A critical rule on a signal holds back its own warning
alerts:rules:trigger | alerts | `trigger_alert` raises an alert with the same life cycle and bounds
alerts:rules:seed-words | alerts | One table maps the seeds' types, severities, windows and inline
    channels
alerts:rules:command | alerts | The command creates, reads, updates, deletes, enables and validates
    rules
alerts:rules:tools | alerts | Tools of the admin toolset do the same
alerts:rules:backtest | alerts | A back-test says when a rule would have fired, and agrees with
    what the keeper did
alerts:rules:defaults | alerts | The default rules ship enabled and are visible as TOML
alerts:rules:bad | alerts | Bad rules are refused with their name and key
alerts:evaluator:interval | alerts | Rules are evaluated in the keeper on an interval of their own
alerts:evaluator:restart | alerts | State survives restarts, and nothing is raised twice
alerts:evaluator:kill | alerts | Over SIGKILL and take-over no notification is missing or doubled
alerts:evaluator:isolation | alerts | A slow or failing rule harms no other and raises its own alert
alerts:evaluator:status | alerts | Status says when rules were evaluated and by whom, and warns when
    nobody does
alerts:evaluator:watchdog | alerts | A watchdog pings an outside address
alerts:evaluator:clock | alerts | Clock jumps make nothing fire early and nothing stop
alerts:evaluator:many-groups | alerts | 10,000 groups that fire at once are grouped, bounded, said
alerts:evaluator:scale | alerts | 500 rules x 100 groups are evaluated in 1 s over 10 M events
alerts:life:record | alerts | An alert has type, severity, message, details, threshold and actual
    value, and who did what when
alerts:life:acts | alerts | Acknowledge, resolve, reopen and comment
alerts:life:silences | alerts | Silences have matchers, until, author and reason
alerts:life:windows | alerts | Maintenance windows begin and end by themselves
alerts:life:incidents | alerts | Related alerts are one incident with a count
alerts:life:history | alerts | What happened stands in the history, once
alerts:life:statistics | alerts | Counts, times to acknowledge and to resolve, noisiest, flapping
alerts:life:audit | alerts | Every change through tools or command is audited
alerts:life:listed | alerts | 100,000 stored alerts are listed and filtered in 50 ms
alerts:told:channels | alerts | Email, Slack, PagerDuty, SMS, webhook, dashboard, log and apprise
    are channels
alerts:told:signed | alerts | The webhook is signed (HMAC, timestamp)
alerts:told:grouping | alerts | group_wait, group_interval and repeat_interval
alerts:told:rate | alerts | Each channel has a rate limit
alerts:told:retry | alerts | What fails is tried again with growing pauses, `Retry-After` honoured
alerts:told:breaker | alerts | A channel that fails is down; its fallback is told
alerts:told:hangs | alerts | A channel that hangs delays no other
alerts:told:certificate | alerts | A certificate that nobody vouches for is refused and said
alerts:told:some-recipients | alerts | One refused recipient of several keeps nothing from the
    others
alerts:told:resolved | alerts | The end is told to those who heard of the beginning
alerts:told:trial | alerts | A test notification is sent on demand
alerts:told:secrets | alerts | Secrets come from environment or files, and never show
alerts:told:contents | alerts | Messages carry aggregates, a recommendation and links, no contents
alerts:told:plugin | alerts | A channel of another package is one class and one entry point
alerts:told:escalation | alerts | Unacknowledged critical alerts climb a chain with delays
alerts:told:review | alerts | A sustained violation schedules a code review, at most one in the
    cooldown
alerts:told:kill | alerts | SIGKILL between sent and noted repeats at most once, never swallows
alerts:agents:resources | alerts | `monitoring://alerts` and `monitoring://alerts/{alert_id}`
alerts:agents:subscribe | alerts | Subscriptions in both eras over stdio and HTTP, for one alert or
    all
alerts:agents:every-process | alerts | Subscribers of a process that keeps nothing hear too
alerts:agents:in-time | alerts | From a recorded fact to the subscriber within the interval and 1 s
alerts:agents:thousand | alerts | 1,000 subscribers are served, a slow one is dropped
alerts:agents:cursor | alerts | A pull cursor gives each change once
alerts:agents:banner | alerts | One line in `_meta` while something fires
alerts:agents:get | alerts | `get_alerts` filters by severity, status, rule and since
alerts:agents:update | alerts | `update_alert` acknowledges and comments; the rest needs a right
alerts:agents:quoted | alerts | An instruction in a name reaches an agent quoted
alerts:prometheus:rules | alerts | Rules export as Prometheus alerting rules, checked with promtool
alerts:prometheus:equal | alerts | The exported rules fire as ours would
alerts:guides:run | alerts | The guides to alerts and configuration are run as tests
alerts:scenarios | alerts | Scenario files: series in, rule, expected states and notifications
"""
