"""The configuration: who wins, and what an error names."""

from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import (
    InvalidError,
    LimitedError,
    MonitoringError,
    NotFoundError,
    UnavailableError,
    UnknownKeyError,
)
from contextframe_monitoring.store.settings import FILE_BYTES_MAX, load_config

PREFIX = "CONTEXTFRAME_MONITORING_"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "monitoring.toml"
    path.write_text('store = "/file"\nserver = "file"\nenvironment = "file"\n')
    return path


@pytest.mark.requirement("spine:config:toml-and-environment")
def test_the_caller_wins_over_the_environment_over_the_file_over_the_defaults(file: Path) -> None:
    environ = {PREFIX + "SERVER": "environment", PREFIX + "STORE": "/environment", "OTHER": "x"}

    config = load_config(str(file), environ, store="/caller", timezone=None)

    assert config == MonitoringConfig(store="/caller", server="environment", environment="file")


def test_the_environment_may_name_the_file(file: Path) -> None:
    environ = {PREFIX + "CONFIG": str(file)}

    assert load_config(None, environ).store == "/file"
    assert load_config(None, {}) == MonitoringConfig()


ERRORS: dict[str, tuple[type[MonitoringError], str]] = {
    "[alerts]\nchannels = []\n\n[channels.ops]\ntype = 'log'\npth = 'x'\n": (
        UnknownKeyError,
        "unknown key 'channels.ops.pth' in FILE, line 6: did you mean 'channels.ops.path'?",
    ),
    "[channels.ops]\ntype = 'slack'\n[channels.mail]\ntype = 'email'\nport = 0\n": (
        InvalidError,
        "FILE, line 1: channels.ops.url = None is not allowed: type 'slack' needs it",
    ),
    "[channels]\n[channels.mail]\ntype = 'email'\nport = 0\n": (
        InvalidError,
        "FILE, line 4: channels.mail.port = 0 is not allowed: expected int >= 1",
    ),
    "channels.ops.type = 'x'\n": (
        InvalidError,
        "FILE, line 1: channels.ops.type = 'x' is not allowed: expected one of slack, email, "
        "pagerduty, sms, webhook, log, dashboard, apprise, plugin",
    ),
    "\nchannels = { ops = { type = 'log', size = 1 } }\n": (
        UnknownKeyError,
        "unknown key 'channels.ops.size' in FILE, line 2: did you mean 'channels.ops.type'?",
    ),
    "[alerts]\ngroup_wait_second = 3\n": (
        UnknownKeyError,
        "unknown key 'alerts.group_wait_second' in FILE, line 2: "
        "did you mean 'alerts.group_wait_seconds'?",
    ),
    "[alerts]\nchannels = ['ops']\n": (
        InvalidError,
        "FILE, line 2: alerts.channels = 'ops' is not allowed: expected one of the channels: "
        "no channel is configured: add a table [channels.NAME]",
    ),
    "# ours\n\nenabledd = 3\n": (
        UnknownKeyError,
        "unknown key 'enabledd' in FILE, line 3: did you mean 'enabled'?",
    ),
    "enabled = true\n\n[budget]\n# a month\nmonthly = 3\n": (
        UnknownKeyError,
        "unknown key 'budget.monthly' in FILE, line 5: did you mean 'budget.monthly_usd'?",
    ),
    "enabled = true\n\n[budget]\nmonthly_usd = -3\n": (
        InvalidError,
        "FILE, line 4: budget.monthly_usd = Decimal('-3') is not allowed: expected 0 USD or more",
    ),
    "budget.monthly_usd = [3]\n": (
        InvalidError,
        "FILE, line 1: budget.monthly_usd = [3] is not allowed: expected decimal | null, got array",
    ),
    "enabled = true\n[store]\nx = 1\n": (
        InvalidError,
        "FILE, line 2: store = {'x': 1} is not allowed: expected str | null, got object",
    ),
    "\nmetrics_retention_days = 0\n": (
        InvalidError,
        "FILE, line 2: metrics_retention_days = 0 is not allowed: expected int >= 1",
    ),
    "enabled = true\nx = \n": (
        InvalidError,
        "FILE, line 2 = 'x = ' is not allowed: not TOML: Invalid value (at line 2, column 5)",
    ),
    'enabled = true\nx="': (
        InvalidError,
        "FILE, line 2 = 'x=\"' is not allowed: not TOML: Unterminated string (at end of document)",
    ),
    "# \udcff": (InvalidError, "FILE, line 1 = b'\\xff' is not allowed: TOML files are UTF-8"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_in_the_file_names_file_line_and_culprit(tmp_path: Path, text: str) -> None:
    kind, message = ERRORS[text]
    path = tmp_path / "monitoring.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(kind) as caught:
        load_config(str(path), {})

    assert str(caught.value) == message.replace("FILE", str(path))


def test_an_error_of_the_environment_or_the_caller_names_them(file: Path) -> None:
    with pytest.raises(InvalidError, match=rf"^{PREFIX}ENABLED = 'maybe' is not allowed"):
        load_config(str(file), {PREFIX + "ENABLED": "maybe"})
    with pytest.raises(UnknownKeyError, match=rf"^unknown key '{PREFIX}STOER' in environment"):
        load_config(str(file), {PREFIX + "STOER": "x"})
    with pytest.raises(InvalidError, match=r"^store = 5 is not allowed"):
        load_config(str(file), {}, store=5)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (FILE_BYTES_MAX + 1))

    with pytest.raises(NotFoundError, match=r"^configuration file '.*none\.toml' does not exist"):
        load_config(str(tmp_path / "none.toml"), {})
    with pytest.raises(UnavailableError, match=r"can't be read: Is a directory"):
        load_config(str(tmp_path), {})
    with pytest.raises(LimitedError, match=r"is above its limit of 1048576: is it the right"):
        load_config(str(big), {})


def test_a_bad_alert_rule_is_named_with_the_line_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(
        '[[alert_rules]]\nname = "A"\nsignal = "cost"\nthreshold = 1\n'
        '[[alert_rules]]\nname = "B"\nsignal = "cost"\nthreshold = 1\nseverity = "bad"\n'
    )
    with pytest.raises(InvalidError) as found:
        load_config(str(file), {})
    assert str(found.value) == (
        f"{file}, line 6: alert rule 'B': severity = 'bad' is not allowed: expected one of info, "
        "warning, error, critical"
    )
