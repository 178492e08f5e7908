"""PromQL over the metrics that `/metrics` serves, put together from few words."""

from __future__ import annotations

OPERATIONS = "contextframe_monitoring_operations_total"
DURATIONS = "mcp_server_operation_duration_seconds"
COST = "contextframe_monitoring_cost_usd_total"
CORRECTIONS = "contextframe_monitoring_cost_negative_usd_total"
TOKENS = "contextframe_monitoring_tokens_total"
EVENTS = "contextframe_monitoring_events_total"

NO_STREAM = 'mcp_method_name!~"notifications/.*|subscriptions/listen"'
"""What expects an answer, and that soon."""
REQUESTS = f'direction="in",{NO_STREAM}'
ENDED = f'{REQUESTS},status=~"success|error|timeout"'
FAILED = f'{REQUESTS},status=~"error|timeout"'

STORE = 'instance=~"$instance"'
SERVER = f'{STORE},server=~"$server"'
"""What the variables of a dashboard select."""
STEP = "$__rate_interval"
PERIOD = "$__range"


def where(*matchers: str) -> str:
    """Return label matchers in braces, nothing when there are none."""
    text = ",".join(filter(None, matchers))
    return f"{{{text}}}" if text else ""


def total(
    metric: str,
    chosen: str,
    by: str = "",
    *,
    over: str = STEP,
    function: str = "rate",
    offset: str = "",
) -> str:
    """Return the sum of a counter's rate (or increase) `over` a window that ended `offset` ago."""
    past = f" offset {offset}" if offset else ""
    return f"sum{_by(by)} ({function}({metric}{where(chosen)}[{over}]{past}))"


def newest(metric: str, chosen: str, by: str = "", function: str = "sum") -> str:
    """Return the sum (or maximum) of a gauge."""
    return f"{function}{_by(by)} ({metric}{where(chosen)})"


def share(part: str, whole: str) -> str:
    """Return part / whole: 0 where there is no part, nothing where there is no whole."""
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def failed_share(chosen: str, by: str = "", *, over: str = STEP, offset: str = "") -> str:
    """Return the failed part of all requests that ended, 0 to 1."""
    return share(
        total(OPERATIONS, _and(chosen, FAILED), by, over=over, offset=offset),
        total(OPERATIONS, _and(chosen, ENDED), by, over=over, offset=offset),
    )


def quantile(
    q: float,
    metric: str,
    chosen: str,
    by: str = "",
    *,
    over: str = STEP,
    offset: str = "",
) -> str:
    """Return a quantile from a histogram's buckets."""
    buckets = total(f"{metric}_bucket", chosen, _list("le", by), over=over, offset=offset)
    return f"histogram_quantile({q:g}, {buckets})"


def mean(metric: str, chosen: str, by: str = "", *, over: str = STEP) -> str:
    """Return the mean from a histogram's or a summary's sum and count."""
    whole = total(f"{metric}_count", chosen, by, over=over)
    return f"{total(f'{metric}_sum', chosen, by, over=over)} / ({whole} > 0)"


def cost(
    chosen: str, by: str = "", *, over: str = STEP, function: str = "increase", offset: str = ""
) -> str:
    """Return dollars, less what was corrected downwards: that counts up in a twin."""
    spent = total(COST, chosen, by, over=over, function=function, offset=offset)
    less = total(CORRECTIONS, chosen, by, over=over, function=function, offset=offset)
    return f"{spent} - ({less} or {spent} * 0)"


def change(now: str, before: str) -> str:
    """Return by how much something grew: 0.5 is half as much again."""
    return f"({now}) / (({before}) > 0) - 1"


def or_zero(expression: str) -> str:
    """Return 0 where there is no series (of a sum without labels)."""
    return f"({expression}) or vector(0)"


def _and(*matchers: str) -> str:
    return ",".join(filter(None, matchers))


def _list(*labels: str) -> str:
    return ", ".join(filter(None, labels))


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
