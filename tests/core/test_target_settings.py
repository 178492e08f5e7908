"""Tables of targets: what they may hold, and how they say no."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig, targets_of
from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.secret import Secret
from contextframe_monitoring.core.target_settings import (
    TARGETS,
    CloudwatchTarget,
    FileTarget,
    OtlpTarget,
    target_type,
    targets_from,
)
from contextframe_monitoring.store.settings import load_config

OTLP = '[targets.prod]\ntype = "otlp"\n'


def loaded(tmp_path: Path, text: str) -> MonitoringConfig:
    path = tmp_path / "monitoring.toml"
    path.write_text(text)
    return load_config(str(path), {})


def test_tables_become_targets(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        OTLP + 'endpoint = { env = "COLLECTOR" }\nsignals = ["metrics", "traces"]\n'
        'headers = { Authorization = { file = "token" }, X-Scope-OrgID = "7" }\n'
        '[targets.archive]\ntype = "file"\npath = "out"\ninterval_seconds = 3600\n',
    )
    assert config.targets == {
        "prod": OtlpTarget(
            endpoint=Secret(env="COLLECTOR"),
            signals=("metrics", "traces"),
            headers={"Authorization": Secret(file="token"), "X-Scope-OrgID": "7"},
        ),
        "archive": FileTarget(path="out", interval_seconds=3600),
    }


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (OTLP + 'endpont = "x"', 3, "unknown key 'targets.prod.endpont' in %s: did you mean 'targ"),
        (OTLP + "interval_seconds = 0", 3, "targets.prod.interval_seconds = 0 is not allowed: exp"),
        (OTLP + 'temporality = "both"', 3, "expected one of cumulative, delta"),
        (OTLP + 'signals = ["logs"]', 3, "targets.prod.signals = ['logs'] is not allowed"),
        (OTLP + 'endpoint = "https://me:hunter2@h"', 3, "endpoint = (not shown) is not allowed"),
        (OTLP + 'headers = { Authorization = "hunter2" }', 3, "(not shown) is not allowed: secret"),
        (OTLP + "headers = { a = { env = 1 } }", 3, "(not shown) is not allowed: secrets stand"),
        (OTLP + 'headers = { a = { env = "A", file = "hunter2" } }', 3, "secrets stand elsewhere"),
        ('[targets.prod]\ntype = "otpl"', 2, "'otpl' is not allowed: expected one of otlp, cloud"),
        ("[targets.prod]", 1, "targets.prod.type = None is not allowed"),
        ('[targets.prod]\ntype = "file"', 1, "targets.prod.path = None is not allowed: type 'fil"),
        ('[targets."a b"]\ntype = "otlp"', 1, "a target's name has letters, digits, - and _"),
        ("targets = 3", 1, "targets = (not shown) is not allowed: expected tables"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    with pytest.raises(MonitoringError) as caught:
        loaded(tmp_path, text)
    said = str(caught.value)
    where = f"{tmp_path / 'monitoring.toml'}, line {line}"
    assert where in said
    assert says.replace("%s", where) in said
    assert "hunter2" not in said


def test_every_type_says_what_it_needs() -> None:
    for name, kind in TARGETS.items():
        assert str(kind.__struct_config__.tag) == name
        try:
            targets_from({"x": {"type": name}}, "a test")
        except InvalidError as error:
            assert f"type '{name}' needs it" in str(error)


def test_there_are_not_endlessly_many() -> None:
    tables = {f"t{n}": {"type": "otlp"} for n in range(21)}
    with pytest.raises(InvalidError, match="expected at most 20"):
        targets_from(tables, "a test")


def test_cloudwatch_enabled_adds_a_target_unless_one_has_the_name() -> None:
    assert targets_of(MonitoringConfig()) == {}
    assert targets_of(MonitoringConfig(cloudwatch_enabled=True)) == {
        "cloudwatch": CloudwatchTarget()
    }
    own = {"cloudwatch": {"type": "cloudwatch", "region": "eu-central-1"}}
    config = MonitoringConfig(cloudwatch_enabled=True, targets=own)
    assert targets_of(config) == {"cloudwatch": CloudwatchTarget(region="eu-central-1")}


def test_a_writer_without_targets_does_not_load_what_describes_them() -> None:
    code = (
        "import sys, contextframe_monitoring.monitor as m; m.MonitoringConfig(); "
        "print('contextframe_monitoring.core.target_settings' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_the_example_shows_every_type() -> None:
    example = Path(__file__).parents[2] / "examples" / "targets.toml"
    config = load_config(str(example), {})
    assert {target_type(target) for target in config.targets.values()} == set(TARGETS)
