"""CloudWatch: what moto keeps of PutMetricData, and how refusals are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from contextframe_monitoring.export.cloudwatch_words import (
    dimensions_of,
    name_of,
    unit_of,
    value_of,
)
from tests.export.stores import NOW_US, Filled, cost, event, metric, operation
from tests.export.targets.conftest import To
from tests.export.targets.receivers import receiver

S = 1_000_000


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("cloudwatch")


def statistics(aws: Any, name: str, **dimensions: str) -> list[dict[str, Any]]:
    moment = dt.datetime.fromtimestamp(NOW_US / S, dt.UTC)
    found = aws.get_metric_statistics(
        Namespace="Test/Ns",
        MetricName=name,
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
        StartTime=moment - dt.timedelta(hours=1),
        EndTime=moment + dt.timedelta(hours=1),
        Period=60,
        Statistics=["Sum", "SampleCount", "Minimum", "Maximum"],
    )
    return [
        {k: v for k, v in point.items() if k != "Timestamp"}
        for point in sorted(found["Datapoints"], key=lambda point: point["Timestamp"])
    ]


@pytest.mark.requirement(
    "export:cloudwatch:put", "002:config:cloudwatch-namespace", "002:store:export-targets"
)
def test_each_export_puts_what_is_new(filled: Filled, to: To, aws: Any) -> None:
    filled.drain(operation(), operation(duration_ms=0.0), cost(), event(), metric())
    to(type="cloudwatch").run(NOW_US)
    filled.drain(cost())
    state = to(type="cloudwatch").run(NOW_US + 61 * S)
    assert state is not None
    assert (state.failures, state.last_error) == (0, None)
    paid = {"provider": "anthropic", "model": "claude-sonnet-4-5", "cost_type": "llm"}
    found = statistics(aws, "contextframe_monitoring.cost", **paid)
    assert [round(point["Sum"], 9) for point in found] == [0.06, 0.06]
    who = {"server": "git", "mcp.method.name": "tools/call", "gen_ai.tool.name": "git_log"}
    [calls] = statistics(aws, "mcp.server.operation.duration", **who)
    assert (calls["SampleCount"], calls["Minimum"]) == (2, 0)
    assert calls["Maximum"] == pytest.approx(0.0125, rel=0.011)
    assert calls["Unit"] == "Seconds"
    [depth] = statistics(aws, "queue.depth", server="git")
    assert depth["Sum"] == 7


def test_many_values_become_a_statistic_set(filled: Filled, to: To, aws: Any) -> None:
    filled.drain(*(operation(duration_ms=1.03**n) for n in range(400)))
    to(type="cloudwatch").run(NOW_US)
    who = {"server": "git", "mcp.method.name": "tools/call", "gen_ai.tool.name": "git_log"}
    [calls] = statistics(aws, "mcp.server.operation.duration", **who)
    assert calls["SampleCount"] == 400
    assert calls["Maximum"] == pytest.approx(1.03**399 / 1000)
    assert calls["Sum"] == pytest.approx(sum(1.03**n for n in range(400)) / 1000)


def test_thousands_of_series_go_out_in_several_requests(
    filled: Filled, to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.drain(*(operation(target=f"tool{n}") for n in range(600)))
    answer = b"<PutMetricDataResponse/>"
    environ = {"ID": "a", "KEY": "b"}
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with receiver(body=answer, headers={"Content-Type": "text/xml"}) as service:
        told = {"type": "cloudwatch", "endpoint": service.url,
                "access_key_id": {"env": "ID"}, "secret_access_key": {"env": "KEY"}}  # fmt: skip
        state = to(environ, **told).run(NOW_US)
    assert state is not None
    assert state.last_error is None
    assert state.sent > 1000
    assert len(service.taken) == -(-state.sent // 1000)


@pytest.mark.requirement("export:targets:secrets")
def test_wrong_credentials_are_said_and_not_shown(
    filled: Filled, to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.drain(operation())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    body = b'{"__type":"InvalidClientTokenId","message":"hunter2 is wrong"}'
    environ = {"ID": "AKIAHUNTER", "KEY": "hunter2"}
    with receiver(status=403, body=body) as service:
        told = {"type": "cloudwatch", "endpoint": service.url,
                "access_key_id": {"env": "ID"}, "secret_access_key": {"env": "KEY"}}  # fmt: skip
        state = to(environ, **told).run(NOW_US)
    assert state is not None
    assert state.last_error is not None
    assert state.last_error.startswith("CloudWatch: it answered ")
    assert state.last_error.endswith(": the credentials are wrong or don't allow it")
    assert "hunter" not in state.last_error.lower()


def test_a_secret_that_is_not_there_is_named(filled: Filled, to: To) -> None:
    filled.drain(operation())
    state = to({}, type="cloudwatch", access_key_id={"env": "NOT_SET"}).run(NOW_US)
    assert state is not None
    assert state.last_error == "targets.there.access_key_id: the variable NOT_SET is not set"
    state = to({}, type="cloudwatch", access_key_id={"file": "no/such"}).run(NOW_US + 60 * S)
    assert state is not None
    assert state.last_error is not None
    assert "the file no/such can't be read (No such file" in state.last_error


def test_names_units_and_values_are_what_cloudwatch_takes() -> None:
    assert name_of(":é") == "?"
    assert len(name_of("x" * 300)) == 255
    assert dimensions_of({"a": "", "b": "ü\n", "c": "x" * 2000}) == {"b": "??", "c": "x" * 1024}
    assert len(dimensions_of({f"k{n}": "v" for n in range(40)})) == 30
    assert [unit_of(u, counted=c) for u, c in (("s", False), ("", True), ("", False), ("USD", True))
            ] == ["Seconds", "Count", "None", "None"]  # fmt: skip
    assert [value_of(v) for v in (float("nan"), 1e308, 1e-200, -2.0)] == [0, 2.0**360, 0, -2]
