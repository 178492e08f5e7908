"""Files: one for each export with the rows that are new, or one of Prometheus text, made anew."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.target_settings import FileTarget
from contextframe_monitoring.export.files import ExportError, replaced
from contextframe_monitoring.export.registry import format_of
from contextframe_monitoring.export.targets.exporter import Delivered, Setting, TargetError
from contextframe_monitoring.export.targets.step import Step
from contextframe_monitoring.store.machine import SystemClock

_PROMETHEUS = "prometheus"


class FileExporter:
    """Writes files that appear whole. Their names say which batches they hold, so that a step
    that is written twice is there once.
    """

    def __init__(self, setting: Setting) -> None:
        """Nothing is written yet. Raises `InvalidError` for an unknown format."""
        self._target = cast("FileTarget", setting.target)
        self._name = setting.name
        self._path = Path(self._target.path).expanduser()
        self._format = format_of(self._target.format)
        if not self._format.tabular and self._target.format != _PROMETHEUS:
            key = f"targets.{setting.name}.format"
            raise InvalidError(key, self._target.format, "expected a format of rows, or prometheus")

    def export(self, step: Step) -> Delivered:
        """Write what is new. Raises `TargetError` where it can't be written."""
        try:
            if self._target.format == _PROMETHEUS:
                return self._write_metrics(step)
            return Delivered(sent=0) if step.is_empty else self._write_rows(step)
        except ExportError as error:
            raise TargetError(f"file {self._path.name}", error.reason) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TargetError(f"folder {self._path.name}", reason) from None

    def _write_rows(self, step: Step) -> Delivered:
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self._target
        name = f"{self._name}-{target.subject}-{step.after + 1:09d}-{step.upto:09d}"
        path = self._path / f"{name}{self._format.suffix}"
        with replaced(path) as (sink,):
            rows = self._format.write(step.rows(target.subject), sink)
        if not rows:
            path.unlink()
        return Delivered(sent=rows)

    def _write_metrics(self, step: Step) -> Delivered:
        from contextframe_monitoring.export.prometheus import PrometheusExposition

        exposition = PrometheusExposition(step.store, clock=SystemClock(), totals=step.everything)
        text = exposition.text()
        with replaced(self._path) as (sink,):
            sink.write(text.encode())
        return Delivered(sent=sum(not line.startswith("#") for line in text.splitlines()))

    def close(self) -> None:
        """Nothing is held open."""
