"""OTLP over HTTP: metrics, and by choice operations as spans, to an OpenTelemetry collector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.target_settings import OtlpTarget
from contextframe_monitoring.export.targets.exporter import Delivered, Setting, TargetError
from contextframe_monitoring.export.targets.otlp_environment import (
    Signal,
    post_of,
    resource_attributes,
    temporality,
)
from contextframe_monitoring.export.targets.step import Step

if TYPE_CHECKING:
    from contextframe_monitoring.export.metrics.instruments import Family
    from contextframe_monitoring.export.targets.otlp_metrics import Span

_CONTENT_TYPE = "application/x-protobuf"


class OtlpExporter:
    """Posts protobuf. A step goes out in requests; what has arrived of it is not sent again."""

    def __init__(self, setting: Setting) -> None:
        """Raises `InvalidError` for bad settings, `UnavailableError` without the extra."""
        try:
            import opentelemetry.proto  # noqa: F401 - is it there?
        except ImportError as error:
            raise UnavailableError(
                "targets of type otlp need the extra: pip install contextframe-monitoring[otlp]"
            ) from error
        target = cast("OtlpTarget", setting.target)
        self._signals = target.signals
        self._posts = {
            signal: post_of(setting.name, target, signal, setting.environ)
            for signal in dict.fromkeys(target.signals)
        }
        self._delta = temporality(target, setting.environ) == "delta"
        self._resource = resource_attributes(target, setting.environ)
        self._arrived: tuple[int, dict[Signal, int]] = (-1, {})

    def export(self, step: Step) -> Delivered:
        """Post what a step holds. Raises `TargetError`."""
        if self._arrived[0] != step.upto:
            self._arrived = (step.upto, {})
        found = [self._post(signal, self._requests(signal, step)) for signal in self._posts]
        self._arrived = (-1, {})
        reasons = [one.reason for one in found if one.reason]
        return Delivered(
            sent=sum(one.sent for one in found),
            rejected=sum(one.rejected for one in found),
            reason=reasons[0] if reasons else None,
        )

    def _requests(self, signal: Signal, step: Step) -> Iterable[tuple[int, bytes]]:
        from contextframe_monitoring.export.targets import otlp_metrics, otlp_spans

        if signal == "traces":
            rows = step.rows("performance", otlp_spans.COLUMNS)
            return otlp_spans.requests(rows, self._resource)
        return otlp_metrics.requests(self._metrics(step), self._resource)

    def _metrics(self, step: Step) -> list[tuple[Span, list[Family]]]:
        from contextframe_monitoring.export.targets.otlp_metrics import Span

        if self._delta:
            of_step = Span(start_us=step.start_us, end_us=step.end_us, delta=True)
            always = Span(start_us=0, end_us=step.end_us, delta=False)  # 0: nobody knows when
            return [(of_step, step.deltas()), (always, step.monitor())]
        since_us, families = step.totals()
        always = Span(start_us=since_us, end_us=step.end_us, delta=False)
        return [(always, [*families, *step.monitor()])]

    def _post(self, signal: Signal, requests: Iterable[tuple[int, bytes]]) -> Delivered:
        post, arrived = self._posts[signal], self._arrived[1]
        sent, rejected, reason = 0, 0, None
        for number, (count, body) in enumerate(requests):
            if number < arrived.get(signal, 0) and (self._delta or signal == "traces"):
                continue  # it was there before another one failed
            answer = post.send(body, _CONTENT_TYPE)
            arrived[signal] = number + 1
            refused, why = _partial(signal, answer, post.where)
            sent, rejected = sent + count - refused, rejected + refused
            reason = reason or why
        return Delivered(sent=sent, rejected=rejected, reason=reason)

    def close(self) -> None:
        """Nothing is held open."""


def _partial(signal: Signal, answer: bytes, where: str) -> tuple[int, str | None]:
    """Return how much of a request the collector did not take, and why."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    try:
        if signal == "metrics":
            partial = metrics_service_pb2.ExportMetricsServiceResponse.FromString(answer)
            rejected = partial.partial_success.rejected_data_points
        else:
            found = trace_service_pb2.ExportTraceServiceResponse.FromString(answer)
            rejected = found.partial_success.rejected_spans
            partial = found
    except DecodeError:
        raise TargetError(where, "its answer is not OTLP: is a collector there?") from None
    said = partial.partial_success.error_message
    return max(rejected, 0), f"{where}: {said}" if rejected or said else None
