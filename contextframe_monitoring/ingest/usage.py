"""`UsageTracker`: which documents, queries and decisions an application made use of."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Protocol

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.privacy import (
    attribute_pairs,
    bounded_name,
    metadata_json,
    query_hash,
    query_shape,
    uri_without_query,
)
from contextframe_monitoring.core.records import EventRecord, Origin, UsageRecord
from contextframe_monitoring.ingest.done import DONE, Done
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.recorder import Recorder

ACCESS_OPERATIONS = ("read", "search_hit", "update", "delete")
QUERY_TYPES = ("vector", "text", "hybrid", "sql")


class UsageStatistics(Protocol):
    """What answers `get_usage_stats`: the read path, given by the composition root."""

    async def usage_stats(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str
    ) -> Any:
        """Return the usage between two times."""
        ...


class UsageTracker:
    """Records uses. Each `track_...` call returns when the record is safe; awaiting it is optional.

    All of them raise `InvalidError` for an argument that is not allowed.
    """

    def __init__(
        self,
        recorder: Recorder,
        origins: Origins,
        config: MonitoringConfig,
        clock: Clock,
        statistics: UsageStatistics | None = None,
    ) -> None:
        """Made by `Monitor.open`."""
        self._recorder, self._origins, self._clock = recorder, origins, clock
        self._chars_max, self._hash_key = config.text_chars_max, config.hash_key
        self._statistics = statistics

    def track_document_access(
        self,
        document_id: str,
        operation: str,
        agent_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        collection: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        operation_id: str | None = None,
    ) -> Done:
        """Record one access to a document: `operation` is read, search_hit, update or delete.

        The collection may also stand in `metadata["collection"]`. Metadata is masked and bounded.
        """
        found = arguments.mapping("metadata", metadata)
        if collection is None and found is not None and isinstance(found.get("collection"), str):
            collection = found["collection"]
        self._recorder.record(
            UsageRecord(
                time_us=self._clock.now_us(),
                metric_type="document_access",
                resource_id=uri_without_query(arguments.text("document_id", document_id)),
                operation=arguments.choice("operation", operation, ACCESS_OPERATIONS),
                value=1.0,
                metadata=metadata_json(found, self._chars_max),
                category=_name("collection", collection),
                operation_id=_name("operation_id", operation_id),
                origin=self._origin(agent_id, user_id, session_id),
            )
        )
        return DONE

    def track_query(
        self,
        query: str,
        query_type: str,
        result_count: int,
        execution_time_ms: float,
        agent_id: str | None = None,
        *,
        outcome: str = "success",
        collection: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        operation_id: str | None = None,
    ) -> Done:
        """Record one query: its hash and its shape without literals, never its text.

        `query_type` is vector, text, hybrid or sql; `result_count` the number of results.
        """
        asked = arguments.text("query", query)
        kind = arguments.choice("query_type", query_type, QUERY_TYPES)
        shape = query_shape(asked, kind, self._chars_max)
        self._recorder.record(
            UsageRecord(
                time_us=self._clock.now_us(),
                metric_type="query",
                resource_id=query_hash(asked, self._hash_key),
                operation=kind,
                value=float(arguments.count("result_count", result_count)),
                metadata=json.dumps({"shape": shape}, ensure_ascii=False),
                category=_name("collection", collection),
                outcome=_name("outcome", outcome),
                duration_ms=arguments.number("execution_time_ms", execution_time_ms, 0),
                operation_id=_name("operation_id", operation_id),
                origin=self._origin(agent_id, user_id, session_id),
            )
        )
        return DONE

    def track_event(
        self,
        name: str,
        category: str | None = None,
        outcome: str | None = None,
        duration_ms: float | None = None,
        numbers: Mapping[str, float] | None = None,
        attributes: Mapping[str, Any] | None = None,
        operation_id: str | None = None,
        *,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        at: dt.datetime | None = None,
    ) -> Done:
        """Record one decision of the application.

        `category` is what was chosen, `outcome` how it ended, `numbers` are measures by name
        (reports give their mean and percentiles), `attributes` labels that reports can group by.
        `at` is when it happened, now by default.
        """
        self._recorder.record(
            EventRecord(
                time_us=self._clock.now_us() if at is None else arguments.moment_us("at", at),
                name=bounded_name(arguments.text("name", name)),
                category=_name("category", category),
                outcome=_name("outcome", outcome),
                duration_ms=arguments.optional_number("duration_ms", duration_ms, 0),
                numbers={
                    bounded_name(key): value
                    for key, value in arguments.numbers("numbers", numbers).items()
                },
                attributes=attribute_pairs(
                    arguments.mapping("attributes", attributes), self._chars_max
                ),
                operation_id=_name("operation_id", operation_id),
                origin=self._origin(agent_id, user_id, session_id),
            )
        )
        return DONE

    def _origin(self, agent_id: str | None, user_id: str | None, session_id: str | None) -> Origin:
        return self._origins.of(
            arguments.optional_text("agent_id", agent_id),
            arguments.optional_text("user_id", user_id),
            arguments.optional_text("session_id", session_id),
        )

    async def get_usage_stats(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str = "hour"
    ) -> Any:
        """Return the usage between two times, by hour, day or week
        (`query.statistics.UsageStats`).
        """
        if self._statistics is None:
            raise RuntimeError("this tracker was not made by Monitor.open: it can only record")
        return await self._statistics.usage_stats(start_time, end_time, group_by)


def _name(name: str, value: object) -> str | None:
    found = arguments.optional_text(name, value)
    return None if found is None else bounded_name(found)
