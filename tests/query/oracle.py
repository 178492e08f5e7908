"""Naive answers in plain Python, to compare reports with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.core.windows import local

JOIN = " / "


def time_label(time_us: int, unit: str, timezone: str) -> str:
    moment = local(time_us, timezone)
    day = moment.date()
    match unit:
        case "minute":
            return moment.replace(second=0, microsecond=0).isoformat(timespec="minutes")
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
        case "day":
            return day.isoformat()
        case "week":
            return (day - timedelta(days=day.weekday())).isoformat()
        case _:
            return f"{day:%Y-%m}"


def attribute(record: Any, name: str) -> str | None:
    values = [pair.partition("=")[2] for pair in record.attributes if pair.startswith(f"{name}=")]
    return ", ".join(values) if values else None


def labels_of(record: Any, query: ReportQuery, columns: dict[str, Callable[[Any], Any]]) -> Any:
    found = []
    for key in query.group_by:
        if key in columns:
            found.append(columns[key](record))
        elif key in {"minute", "hour", "day", "week", "month"}:
            found.append(time_label(record.time_us, key, query.window.timezone))
        else:
            found.append(attribute(record, key.removeprefix("attribute:")))
    return tuple(found)


def matching(
    records: Iterable[Any], query: ReportQuery, columns: dict[str, Callable[[Any], Any]]
) -> list[Any]:
    window = query.window
    found = []
    for record in records:
        if not window.start_us <= record.time_us < window.end_us:
            continue
        if record.origin.server == OWN_SERVER and not query.shows_own:
            continue
        for key, wanted in query.where.items():
            if key in columns:
                has = (columns[key](record) or "(none)") == wanted
            else:
                pair = f"{key.removeprefix('attribute:')}={wanted}"
                has = pair in record.attributes or (
                    wanted == "(none)" and attribute(record, key.removeprefix("attribute:")) is None
                )
            if not has:
                break
        else:
            found.append(record)
    return found


def grouped(
    records: Iterable[Any], query: ReportQuery, columns: dict[str, Callable[[Any], Any]]
) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        labels = labels_of(record, query, columns)
        groups[JOIN.join("(none)" if label is None else label for label in labels)].append(record)
    return groups


def percentile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None
