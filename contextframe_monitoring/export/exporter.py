"""`MetricsExporter`: rows, reports and metrics of a store, out to files, answers and scrapers."""

from __future__ import annotations

import json
import os
import random
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from contextframe_monitoring.core.config import MonitoringConfig, targets_of
from contextframe_monitoring.core.errors import InvalidError, NotFoundError, UnavailableError
from contextframe_monitoring.core.target_settings import target_type
from contextframe_monitoring.export.files import Sink, opened, replaced
from contextframe_monitoring.export.folder import inside
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.registry import Format, format_of
from contextframe_monitoring.export.reports import ReportRows, report_json
from contextframe_monitoring.export.source import Progress, Selection, Source
from contextframe_monitoring.export.targets.exporter import Setting
from contextframe_monitoring.store.store import Store

if TYPE_CHECKING:
    from contextframe_monitoring.export.metrics.totals import Totals
    from contextframe_monitoring.export.prometheus import PrometheusExposition
    from contextframe_monitoring.export.targets.delivery import Delivery

ANSWER_BYTES_MAX = 100_000
"""Bytes of an export that stands in an answer, about 25,000 tokens."""
_FOLDER = "exports"
_SCHEMA_SUFFIX = ".schema.json"


class Exported(BaseModel):
    """What was exported, and where to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(description="or the type of the target")
    rows: int = Field(description="rows; of metrics the samples; points sent to a target")
    size_bytes: int = 0
    sha256: str = ""
    path: str | None = Field(default=None, description="the file, when one was written")
    schema_path: str | None = Field(default=None, description="the file that describes its columns")
    content: str | None = Field(default=None, description="the export itself, when no file was")
    target: str | None = Field(default=None, description="the target, when it went to one")


class MetricsExporter:
    """Exports one store. Everything here blocks: run it in a thread beside an event loop."""

    def __init__(self, store: Store, config: MonitoringConfig) -> None:
        """Nothing is read yet."""
        self._store, self._config = store, config

    @property
    def folder(self) -> Path:
        """The export folder: the only one that a file named by an agent may stand in."""
        if self._config.export_path is not None:
            return Path(self._config.export_path).expanduser().absolute()
        return self._store.state_folder / _FOLDER

    @property
    def limits(self) -> Limits:
        """What bounds the label sets of metrics."""
        return limits_of(self._config)

    @cached_property
    def totals(self) -> Totals:
        """What all records ever added up to, kept in the state: keep one of these, too."""
        from contextframe_monitoring.export.metrics.totals import Totals

        return Totals(self._store, self.limits, kept=True)

    @cached_property
    def prometheus(self) -> PrometheusExposition:
        """The exposition of the whole store. It remembers what it added up: keep one."""
        from contextframe_monitoring.export.prometheus import PrometheusExposition

        return PrometheusExposition(self._store, totals=self.totals)

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """Return (content type, body) of a scrape, in the format that an Accept header asks for.

        Raises `StoreError` when the store can't be read.
        """
        return self.prometheus.exposition(accept)

    def delivery(self, target: str, store: Store | None = None) -> Delivery:
        """Return what delivers to a configured target, over a store of its own where one is given.

        Raises `NotFoundError` when no target has this name.
        """
        from contextframe_monitoring.export.targets.delivery import Delivery

        found = targets_of(self._config)
        if target not in found:
            hint = f"configured are {', '.join(found)}" if found else "none is configured"
            raise NotFoundError("target", target, f"{hint}: see [targets.NAME]")
        setting = Setting(
            name=target, target=found[target], config=self._config, environ=os.environ
        )
        luck = random.Random()  # noqa: S311 - spreads the tries of many programs
        return Delivery(setting, store or self._store, self.totals, luck)

    def export_to(self, target: str) -> Exported:
        """Send what a configured target has not had yet, and return how much that was.

        Raises `NotFoundError` for an unknown target, `UnavailableError` when it does not take it,
        `ConflictError` while another process exports to it, `StoreError`.
        """
        from contextframe_monitoring.store.export_targets import TargetBook
        from contextframe_monitoring.store.machine import SystemClock

        delivery = self.delivery(target)
        engine = self._store.engine
        before = None if engine is None else TargetBook(engine).get(target)
        try:
            after = delivery.run(SystemClock().now_us(), forced=True)
        finally:
            delivery.close()
        if after is None:
            return Exported(format=target_type(targets_of(self._config)[target]), rows=0,
                            target=target)  # fmt: skip
        if after.failures:
            raise UnavailableError(f"target {target!r} did not take it: {after.last_error}")
        sent = after.sent - (0 if before is None else before.sent)
        return Exported(format=after.type, rows=sent, target=target)

    def inside(self, name: str) -> Path:
        """Return the path of a file below the export folder, the folders to it made.

        Raises `InvalidError` for a name that leads elsewhere.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = inside(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def export(
        self,
        subject: str,
        format: str,  # noqa: A002 - the seed's word
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        output: Path | IO[bytes] | None = None,
        progress: Progress | None = None,
        bytes_max: int | None = None,
    ) -> Exported:
        """Export the rows of a subject with start <= time < end, drained or not.

        `output` is a file, which appears whole or not at all, with its schema beside it; or an
        open binary stream; None puts the export into `content`, at most `bytes_max` bytes
        (`ANSWER_BYTES_MAX` by default). With format `prometheus` the rows of usage, performance or
        cost are added up to metrics, with subject `all` the monitor's own come with them.

        Raises `InvalidError` for an unknown subject or format, `LimitedError` beyond `bytes_max`,
        `ExportError` when the file can't be written, `StoreError` when the store can't be read.
        """
        source = Selection(
            store=self._store, subject=subject, start_us=start_us, end_us=end_us,
            progress=progress, limits=self.limits, namespace=self._config.cloudwatch_namespace,
        )  # fmt: skip
        return self._export(format_of(format), format, source, output, bytes_max)

    def export_report(
        self,
        report: BaseModel,
        format: str = "json",  # noqa: A002 - the seed's word
        *,
        output: Path | IO[bytes] | None = None,
        bytes_max: int | None = None,
    ) -> Exported:
        """Export a report: as `json` whole, in other formats the rows of its breakdown.

        `output`, `bytes_max` and errors are those of `export`.
        """
        found = _WholeReport(report) if format == "json" else format_of(format)
        return self._export(found, format, ReportRows(report), output, bytes_max)

    def _export(
        self,
        found: Format,
        name: str,
        source: Source,
        output: Path | IO[bytes] | None,
        bytes_max: int | None,
    ) -> Exported:
        if output is None:
            if found.binary:
                raise InvalidError(
                    "format", name, "a binary format needs a file; answers take json, jsonl or csv"
                )
            bound = ANSWER_BYTES_MAX if bytes_max is None else bytes_max
            return _to_answer(found, name, source, bound)
        if isinstance(output, Path):
            return _to_file(found, name, source, output, bytes_max)
        with opened(output, "the stream", bytes_max) as sink:
            rows = found.write(source, sink)
        return Exported(**_facts(name, rows, sink))


def limits_of(config: MonitoringConfig) -> Limits:
    """Return what bounds the label sets of metrics."""
    return Limits(
        series_max=config.prometheus_series_max,
        attribute_keys=tuple(config.prometheus_labels),
        sampled=config.sample_rate < 1,
    )


class _WholeReport:
    """A report as one JSON document."""

    suffix, binary, tabular = ".json", False, False
    notes = "one JSON document"

    def __init__(self, report: BaseModel) -> None:
        self._report = report

    def write(self, source: Source, sink: Sink) -> int:
        sink.write(report_json(self._report))
        return sum(batch.num_rows for batch in source.batches())


def _to_answer(found: Format, name: str, source: Source, bytes_max: int) -> Exported:
    content = BytesIO()
    with opened(content, "the answer", bytes_max) as sink:
        rows = found.write(source, sink)
    return Exported(**_facts(name, rows, sink), content=content.getvalue().decode())


def _to_file(
    found: Format, name: str, source: Source, path: Path, bytes_max: int | None
) -> Exported:
    beside = path.with_name(path.name + _SCHEMA_SUFFIX)
    places = (path, beside) if found.tabular else (path,)
    with replaced(*places, bytes_max=bytes_max) as sinks:
        rows = found.write(source, sinks[0])
        if found.tabular:
            facts = _facts(name, rows, sinks[0]) | {"notes": found.notes}
            described = source.description() | {"export": facts}
            sinks[1].write(json.dumps(described, indent=2).encode() + b"\n")
    schema_path = str(beside) if found.tabular else None
    return Exported(**_facts(name, rows, sinks[0]), path=str(path), schema_path=schema_path)


def _facts(name: str, rows: int, sink: Sink) -> dict[str, Any]:
    return {"format": name, "rows": rows, "size_bytes": sink.size_bytes, "sha256": sink.sha256}
