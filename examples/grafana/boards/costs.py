"""Costs: where the money and the tokens go, and what has no known price."""

from __future__ import annotations

from examples.grafana import limits
from examples.grafana.expressions import (
    CORRECTIONS,
    PERIOD,
    STORE,
    TOKENS,
    cost,
    mean,
    or_zero,
    share,
    total,
)
from examples.grafana.panels import Dashboard, Panel, Query, stat
from examples.grafana.variables import MODELS, PROVIDERS, STORES

_CHOSEN = f'{STORE},provider=~"$provider",model=~"$model"'
_BY_MODEL = "provider, model"
_MODEL = "{{provider}} {{model}}"
_UNKNOWN = "contextframe_monitoring_cost_unknown_total"
_CALL = f'{STORE},gen_ai_request_model=~"$model"'
_HOURS_PER_MONTH = 730


def _in_range(metric: str, chosen: str = _CHOSEN, by: str = "") -> str:
    return total(metric, chosen, by, over=PERIOD, function="increase")


def _tokens(types: str, by: str = "", over: str = PERIOD) -> str:
    return total(TOKENS, f'{_CHOSEN},token_type=~"{types}"', by, over=over, function="increase")


_CACHED = share(_tokens("cache_read"), _tokens("input|cache_.*"))

_SUMS = (
    stat("Cost", "In the time range, known prices, less corrections", cost(_CHOSEN, over=PERIOD),
         "currencyUSD"),
    stat("Last hour", "Known prices", cost(_CHOSEN, over="1h"), "currencyUSD",
         limits.COST_PER_HOUR_USD),
    stat("Last day", "Known prices", cost(_CHOSEN, over="1d"), "currencyUSD",
         limits.COST_PER_DAY_USD),
    stat("A month at this rate", "The rate of the time range, over 730 hours",
         f"3600 * {_HOURS_PER_MONTH} * ({cost(_CHOSEN, over=PERIOD, function='rate')})",
         "currencyUSD"),
    stat("Without a price", "Calls whose model has no known price: their cost is missing above",
         or_zero(_in_range(_UNKNOWN)), limit=limits.ANY),
    stat("Read from caches", "Share of the input tokens", _CACHED, "percentunit"),
)  # fmt: skip

_MONEY = (
    Panel(
        title="Cost an hour by model",
        text="Known prices, less corrections",
        queries=[Query(cost(_CHOSEN, _BY_MODEL, over="1h"), _MODEL)],
        unit="currencyUSD",
        stacked=True,
        width=12,
    ),
    Panel(
        title="Cost an hour by type",
        text="Models, search, storage, and what else was recorded",
        queries=[Query(cost(_CHOSEN, "cost_type", over="1h"), "{{cost_type}}")],
        unit="currencyUSD",
        stacked=True,
        width=12,
    ),
    Panel(
        title="Models",
        text="In the time range",
        queries=[
            Query(cost(_CHOSEN, _BY_MODEL, over=PERIOD), "cost", "currencyUSD"),
            Query(_tokens("input", _BY_MODEL), "input"),
            Query(_tokens("cache_read", _BY_MODEL), "cache read"),
            Query(_tokens("cache_write.*", _BY_MODEL), "cache write"),
            Query(_tokens("output", _BY_MODEL), "output"),
        ],
        kind="table",
        width=24,
    ),
    Panel(
        title="Calls without a known price",
        text="An hour; `contextframe-monitoring prices check` lists them",
        queries=[
            Query(total(_UNKNOWN, _CHOSEN, _BY_MODEL, over="1h", function="increase"), _MODEL)
        ],
        limit=limits.ANY,
        width=12,
    ),
    Panel(
        title="Corrected downwards",
        text="An hour; already taken off above",
        queries=[
            Query(total(CORRECTIONS, _CHOSEN, _BY_MODEL, over="1h", function="increase"), _MODEL)
        ],
        unit="currencyUSD",
        width=12,
    ),
)

_TOKENS = (
    Panel(
        title="Tokens a second by type",
        text="The types don't overlap",
        queries=[Query(total(TOKENS, _CHOSEN, "token_type"), "{{token_type}}")],
        stacked=True,
    ),
    Panel(
        title="Reasoning tokens",
        text="A second; part of the output tokens",
        queries=[
            Query(
                total("contextframe_monitoring_reasoning_tokens_total", _CHOSEN, _BY_MODEL), _MODEL
            )
        ],
        stacked=True,
    ),
    Panel(
        title="Tokens of a call",
        text="Mean; input counts what was read from caches and written to them, too",
        queries=[
            Query(
                mean("gen_ai_client_token_usage", _CALL, "gen_ai_request_model, gen_ai_token_type"),
                "{{gen_ai_request_model}} {{gen_ai_token_type}}",
            )
        ],
    ),
)

DASHBOARD = Dashboard(
    name="costs",
    title="Costs",
    text="Where money and tokens go. Prometheus extrapolates: for exact money ask"
    " `contextframe-monitoring report cost`.",
    variables=[STORES, PROVIDERS, MODELS],
    rows={"Sums": _SUMS, "Money": _MONEY, "Tokens": _TOKENS},
    since="now-24h",
)
