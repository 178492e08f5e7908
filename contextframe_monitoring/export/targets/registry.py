"""The exporters by type: ours, and those that other packages bring.

A new one is one file with a class that is made from a `Setting`, and one line here; in another
package it is an entry point of the group `contextframe_monitoring.exporters`, and its targets have
`type = "plugin"` and `exporter = "<name of the entry point>"`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from typing import cast

from contextframe_monitoring.core.errors import InvalidError, MonitoringError, UnavailableError
from contextframe_monitoring.core.target_settings import PluginTarget, target_type
from contextframe_monitoring.export.targets.exporter import Exporter, Setting

ENTRY_POINTS = "contextframe_monitoring.exporters"
EXPORTERS: dict[str, str] = {
    "otlp": "contextframe_monitoring.export.targets.otlp:OtlpExporter",
    "cloudwatch": "contextframe_monitoring.export.targets.cloudwatch:CloudwatchExporter",
    "emf": "contextframe_monitoring.export.targets.emf:EmfExporter",
    "file": "contextframe_monitoring.export.targets.file:FileExporter",
    "statsd": "contextframe_monitoring.export.targets.statsd:StatsdExporter",
    "remote_write": "contextframe_monitoring.export.targets.remote_write:RemoteWriteExporter",
}
"""Type -> module and class; a module is loaded when a target of its type is opened."""


def exporter_of(setting: Setting) -> Exporter:
    """Return the exporter of a target.

    Raises `InvalidError` for settings that it does not take, `UnavailableError` where an extra or
    a package is missing.
    """
    if isinstance(setting.target, PluginTarget):
        return _plugin(setting.target.exporter, setting)
    module, _, name = EXPORTERS[target_type(setting.target)].partition(":")
    made = getattr(importlib.import_module(module), name)
    return cast("Callable[[Setting], Exporter]", made)(setting)


def _plugin(name: str, setting: Setting) -> Exporter:
    points = {p.name: p for p in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    if name not in points:
        known = ", ".join(sorted(points)) or "no package brings one"
        raise InvalidError(f"targets.{setting.name}.exporter", name, f"expected one of: {known}")
    try:
        found: Exporter = points[name].load()(setting)
    except MonitoringError:
        raise
    except Exception as error:  # a foreign package may raise anything
        raise UnavailableError(
            f"exporter {name!r} of {points[name].value} can't be opened: "
            f"{type(error).__name__}: {error}"[:500]
        ) from error
    return found
