"""A made-up fleet, for stores of any size: 5 servers with 10 targets each, 20 agents, 6 models,
5,000 documents. Agents and targets are used by rank (Zipf), so every pair occurs, few often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from contextframe_monitoring.store.schemas import COST, PERFORMANCE, SCHEMAS, USAGE

SERVERS, TARGETS, AGENTS, MODELS, DOCUMENTS, SESSIONS = 5, 50, 20, 6, 5_000, 2_000
_STATUSES = ("success", "error", "timeout", "cancelled")
_SHARES = (0.95, 0.03, 0.01, 0.01)

Random = np.random.Generator
_Columns = dict[str, Any]


def rows(table: str, rng: Random, count: int, start_us: int, end_us: int, batch: int) -> pa.Table:
    """Return that many rows of a raw table, spread evenly over a time, ordered by it."""
    columns = _MADE[table](rng, count) | _common(rng, count)
    columns["timestamp"] = pa.array(np.sort(rng.integers(start_us, end_us, count)))
    columns["batch"] = pa.array(np.full(count, batch))
    columns["seq"] = pa.array(np.arange(count) + batch * 10_000_000)
    schema = SCHEMAS[table]
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _ranked(rng: Random, count: int, size: int) -> Any:
    weights = 1 / np.arange(1, size + 1)
    return rng.choice(size, count, p=weights / weights.sum()).astype(np.int32)


def _labels(codes: Any, names: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names))


def _named(name: str, size: int) -> list[str]:
    return [f"{name}-{number}" for number in range(size)]


def _some(rng: Random, count: int, values: tuple[str, ...], shares: tuple[float, ...]) -> pa.Array:
    return _labels(rng.choice(len(values), count, p=shares), list(values))


def _common(rng: Random, count: int) -> _Columns:
    sessions = pa.array(_named("session", SESSIONS))
    return {
        "writer": _labels(rng.integers(0, 20, count), _named("writer", 20)),
        "agent_id": _labels(_ranked(rng, count, AGENTS), _named("agent", AGENTS)),
        "session_id": sessions.take(pa.array(rng.integers(0, SESSIONS, count))),
    }


def _operations(rng: Random, count: int) -> _Columns:
    targets = _ranked(rng, count, TARGETS)
    statuses = rng.choice(len(_STATUSES), count, p=_SHARES)
    kinds = np.where(statuses == 1, rng.integers(0, 3, count), 0).astype(np.int32)
    types = pa.array(kinds, mask=statuses != 1)
    names = pa.array(["tool_error", "TimeoutError", "ValueError"])
    return {
        "operation_type": _labels(targets % 5 // 4, ["tools/call", "resources/read"]),
        "target": _labels(targets, _named("target", TARGETS)),
        "server": _labels(targets % SERVERS, _named("server", SERVERS)),
        "status": _labels(statuses, list(_STATUSES)),
        "error_type": pa.DictionaryArray.from_arrays(types, names),
        "duration_ms": pa.array(np.exp(rng.normal(2 + targets % 7 / 2, 1, count))),
        "direction": _labels(np.zeros(count), ["in"]),
        "kind": _some(rng, count, ("request", "notification"), (0.95, 0.05)),
        "request_size": pa.array(rng.integers(100, 2_000, count)),
        "result_size": pa.array(rng.integers(100, 100_000, count)),
        "result_tokens": pa.array(rng.integers(10, 20_000, count)),
        "weight": pa.array(np.ones(count, np.int32)),
    }


def _costs(rng: Random, count: int) -> _Columns:
    models = _ranked(rng, count, MODELS)
    unknown = rng.random(count) < 0.01
    return {
        "cost_type": _some(rng, count, ("llm", "storage"), (0.9, 0.1)),
        "provider": _labels(models % 2, ["anthropic", "openai"]),
        "model": _labels(models, _named("model", MODELS)),
        "operation": _some(rng, count, ("completion", "embedding"), (0.9, 0.1)),
        "provenance": _some(rng, count, ("computed", "reported"), (0.9, 0.1)),
        "amount_nano_usd": pa.array(rng.integers(1_000, 10**9, count), mask=unknown),
        "input_tokens": pa.array(rng.integers(1, 10**5, count)),
        "cache_read_tokens": pa.array(rng.integers(0, 10**5, count)),
        "output_tokens": pa.array(rng.integers(1, 10**4, count)),
    }


def _uses(rng: Random, count: int) -> _Columns:
    documents = pa.array(_named("document", DOCUMENTS))
    types = ("document_access", "query", "event")
    return {
        "metric_type": _some(rng, count, types, (0.7, 0.2, 0.1)),
        "resource_id": documents.take(pa.array(rng.integers(0, DOCUMENTS, count))),
        "operation": _some(rng, count, ("read", "search_hit", "semantic"), (0.5, 0.3, 0.2)),
        "value": pa.array(np.ones(count)),
        "duration_ms": pa.array(np.exp(rng.normal(3, 1, count))),
        "category": _labels(_ranked(rng, count, 10), _named("collection", 10)),
        "server": _labels(rng.integers(0, SERVERS, count), _named("server", SERVERS)),
    }


_MADE: Mapping[str, Callable[[Random, int], _Columns]] = {
    PERFORMANCE: _operations,
    COST: _costs,
    USAGE: _uses,
}
