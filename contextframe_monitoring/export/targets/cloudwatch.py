"""CloudWatch over its API: what a step added up to, as data of PutMetricData."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.target_settings import CloudwatchTarget
from contextframe_monitoring.export.cloudwatch_words import (
    dimensions_of,
    name_of,
    unit_of,
    value_of,
    values_and_counts,
)
from contextframe_monitoring.export.metrics.instruments import Family, Point
from contextframe_monitoring.export.targets.credentials import revealed
from contextframe_monitoring.export.targets.exporter import Delivered, Setting, TargetError
from contextframe_monitoring.export.targets.step import Step

DATA_MAX = 1000
"""Of one request."""
REQUEST_BYTES_MAX = 900_000
"""Of one request, as JSON; the limit is 1 MB."""
VALUES_MAX = 150
"""Of one datum."""
_ATTEMPTS_MAX = 3
_CREDENTIALS = frozenset(
    ["UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch",
     "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
     "InvalidSignatureException", "MissingAuthenticationToken", "NotAuthorized", "401", "403"]
)  # fmt: skip
_REFUSED = frozenset(
    ["InvalidParameterValue", "InvalidParameterCombination", "MissingParameter",
     "InvalidParameterValueException", "MissingRequiredParameterException", "ValidationError"]
)  # fmt: skip
_WHERE = "CloudWatch"


class CloudwatchExporter:
    """Puts metric data; boto3 retries what was throttled, three tries in all."""

    def __init__(self, setting: Setting) -> None:
        """Raises `UnavailableError` without the extra, a region or a secret."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise UnavailableError(
                "targets of type cloudwatch need the extra: "
                "pip install contextframe-monitoring[cloudwatch]"
            ) from error
        target = cast("CloudwatchTarget", setting.target)
        self._namespace = target.namespace or setting.config.cloudwatch_namespace
        key = f"targets.{setting.name}"
        secrets = {
            f"aws_{name}": revealed(found, f"{key}.{name}", setting.environ)
            for name, found in (
                ("access_key_id", target.access_key_id),
                ("secret_access_key", target.secret_access_key),
            )
            if found is not None
        }
        try:
            self._client = boto3.client(
                "cloudwatch",
                region_name=target.region,
                endpoint_url=target.endpoint,
                config=Config(
                    connect_timeout=target.timeout_seconds,
                    read_timeout=target.timeout_seconds,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS_MAX},
                ),
                **secrets,
            )
        except (BotoCoreError, ValueError) as error:
            hint = "set region, or AWS_DEFAULT_REGION"
            raise UnavailableError(f"{key}: {type(error).__name__}: {hint}") from None
        self._arrived = (-1, 0)

    def export(self, step: Step) -> Delivered:
        """Put the data of a step. Raises `TargetError`."""
        if self._arrived[0] != step.upto:
            self._arrived = (step.upto, 0)
        time = dt.datetime.fromtimestamp(step.end_us / US_PER_SECOND, dt.UTC)
        families = [*step.deltas(), *step.monitor()]
        data = [datum | {"Timestamp": time} for family in families for datum in data_of(family)]
        for number, some in enumerate(_requests(data)):
            if number >= self._arrived[1]:
                self._put(some)
                self._arrived = (step.upto, number + 1)
        self._arrived = (-1, 0)
        return Delivered(sent=len(data))

    def _put(self, data: list[dict[str, Any]]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "an error"))[:64]
            advice = ": the credentials are wrong or don't allow it" if code in _CREDENTIALS else ""
            reason = f"it answered {code}{advice}"
            raise TargetError(_WHERE, reason, refused=code in _REFUSED) from None
        except BotoCoreError as error:
            raise TargetError(_WHERE, _reason(type(error).__name__)) from None

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


def _reason(name: str) -> str:
    return {
        "NoCredentialsError": "there are no credentials: see the AWS environment",
        "PartialCredentialsError": "the credentials are incomplete",
        "EndpointConnectionError": "it can't be reached",
        "ConnectTimeoutError": "no connection in time",
        "ReadTimeoutError": "no answer in time",
    }.get(name, name)


def _requests(data: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        length = len(msgspec.json.encode(datum)) + 1
        if some and (len(some) >= DATA_MAX or size + length > REQUEST_BYTES_MAX):
            yield some
            some, size = [], 0
        some.append(datum)
        size += length
    if some:
        yield some


def data_of(family: Family) -> Iterator[dict[str, Any]]:
    """Yield a family as data without time: a value; of a histogram values and counts, or a
    statistic set where it has more values than a datum may hold.
    """
    name = name_of(family.name)
    unit = unit_of(family.unit, counted=family.kind == "counter")
    for point in family.points:
        dimensions = [{"Name": k, "Value": v} for k, v in dimensions_of(point.labels).items()]
        if family.kind == "summary":
            count = sum(point.counts)
            yield _named(f"{name}.count", "Count", dimensions) | {"Value": float(count)}
            yield _named(f"{name}.sum", unit, dimensions) | {"Value": value_of(point.value)}
        else:
            said = _said(point)
            if said is not None:
                yield _named(name, unit, dimensions) | said


def _named(name: str, unit: str, dimensions: list[dict[str, str]]) -> dict[str, Any]:
    return {"MetricName": name, "Unit": unit, "Dimensions": dimensions}


def _said(point: Point) -> dict[str, Any] | None:
    """Return what a datum says of a point, None when nothing was observed."""
    if point.distribution is None:
        return {"Value": value_of(point.value)}
    fine = point.distribution()
    if fine.low > fine.high:
        return None
    if len(fine.counts) > VALUES_MAX:
        return {
            "StatisticValues": {
                "SampleCount": float(sum(point.counts)),
                "Sum": value_of(point.value),
                "Minimum": value_of(fine.low),
                "Maximum": value_of(fine.high),
            }
        }
    values, counts = values_and_counts(fine, VALUES_MAX)
    return {"Values": values, "Counts": [float(count) for count in counts]}
