"""The shapes of the reports: one for tools, `report --json` and REST.

Times are ISO 8601 with offset, durations milliseconds, rates shares from 0 to 1, money dollars.
`None` means unknown, 0 means zero; keys that say something only sometimes are left out when they
don't. Measured numbers carry six significant digits, counts and money are exact.
"""

from contextframe_monitoring.core.reports.cost import (
    CostPoint,
    CostReport,
    CostRow,
    Mover,
    PreviousCost,
    Projection,
    ProvenanceShare,
    Tokens,
    UnknownCost,
    UnknownModel,
)
from contextframe_monitoring.core.reports.performance import (
    OperationChange,
    OperationRow,
    OperationTrend,
    PerformanceReport,
    PreviousOperations,
    RateAbove,
    SlowTarget,
    Traffic,
)
from contextframe_monitoring.core.reports.report import (
    BreakdownRow,
    Money,
    Period,
    Report,
    Resolution,
    TrendPoint,
)
from contextframe_monitoring.core.reports.usage import (
    ClickThrough,
    CollectionUse,
    DocumentUse,
    EventUse,
    LabelShare,
    MetricUse,
    NumberSpread,
    OperationCount,
    QueryTypeUse,
    QueryUse,
    SpreadOf,
    TimePattern,
    UsageReport,
    UsageRow,
)

__all__ = [
    "BreakdownRow",
    "ClickThrough",
    "CollectionUse",
    "CostPoint",
    "CostReport",
    "CostRow",
    "DocumentUse",
    "EventUse",
    "LabelShare",
    "MetricUse",
    "Money",
    "Mover",
    "NumberSpread",
    "OperationChange",
    "OperationCount",
    "OperationRow",
    "OperationTrend",
    "PerformanceReport",
    "Period",
    "PreviousCost",
    "PreviousOperations",
    "Projection",
    "ProvenanceShare",
    "QueryTypeUse",
    "QueryUse",
    "RateAbove",
    "Report",
    "Resolution",
    "SlowTarget",
    "SpreadOf",
    "TimePattern",
    "Tokens",
    "Traffic",
    "TrendPoint",
    "UnknownCost",
    "UnknownModel",
    "UsageReport",
    "UsageRow",
]
