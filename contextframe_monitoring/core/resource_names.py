"""Names of the metrics that say what a process uses: OpenTelemetry's for processes, and ours, which
begin with `monitoring.`, where it has none.
"""

from __future__ import annotations

CPU_TIME = "process.cpu.time"
CPU_UTILIZATION = "process.cpu.utilization"
MEMORY = "process.memory.usage"
VIRTUAL_MEMORY = "process.memory.virtual"
THREADS = "process.thread.count"
OPEN_FILES = "process.unix.file_descriptor.count"
OPEN_HANDLES = "process.windows.handle.count"
LOOP_LAG = "monitoring.event_loop.lag"
ACTIVE_OPERATIONS = "monitoring.operations.active"
ACTIVE_CONNECTIONS = "monitoring.connections.active"
QUEUE_DEPTH = "monitoring.spool.undrained"
POOL_USED = "monitoring.sql_pool.used"
POOL_IDLE = "monitoring.sql_pool.idle"

GAUGES = (
    CPU_UTILIZATION, MEMORY, VIRTUAL_MEMORY, THREADS, OPEN_FILES, OPEN_HANDLES, LOOP_LAG,
    ACTIVE_OPERATIONS, ACTIVE_CONNECTIONS, QUEUE_DEPTH, POOL_USED, POOL_IDLE,
)  # fmt: skip
"""All but CPU time, which is a counter."""
METRICS = frozenset((CPU_TIME, *GAUGES))
