"""Secrets: read from where they stand, and in nothing that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.alerts.secrets import Secrets, missing_secrets, secrets_in
from contextframe_monitoring.core.channel_settings import channels_from
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.secret import Secret

URL = "https://user:passw0rd@hooks.example.org/services/T01234567?key=abcdefgh&x=1"


def test_a_secret_is_read_from_a_variable_or_a_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one\n")
    secrets = Secrets("channels.ops", {"KEY": " two "})
    assert secrets.read("key", Secret(env="KEY")) == "two"
    assert secrets.read("key", Secret(file=str(file))) == "one"
    file.write_text("three")
    assert secrets.read("key", Secret(file=str(file))) == "three"


def test_a_secret_that_is_not_there_is_named_by_its_place(tmp_path: Path) -> None:
    large, lines = tmp_path / "large", tmp_path / "lines"
    large.write_bytes(b"x" * 20_000)
    lines.write_text("one\ntwo")
    secrets = Secrets("channels.ops", {"EMPTY": ""})

    def said(secret: Secret) -> str:
        with pytest.raises(UnavailableError) as caught:
            secrets.read("url", secret)
        return str(caught.value)

    assert said(Secret(env="NONE")) == "channels.ops.url: the variable NONE is not set"
    empty = "the secret of channels.ops.url is empty or more than one line"
    assert said(Secret(env="EMPTY")) == empty
    assert said(Secret(file=str(lines))) == empty
    assert said(Secret(file=str(large))) == (
        f"channels.ops.url: the file {large} is too large for a secret"
    )
    assert said(Secret(file="/nowhere")) == (
        "channels.ops.url: the file /nowhere can't be read: No such file or directory"
    )


@pytest.mark.requirement("alerts:told:secrets")
def test_what_is_said_holds_no_part_of_a_secret() -> None:
    secrets = Secrets("channels.ops", {"URL": URL})
    secrets.read("url", Secret(env="URL"))
    said = secrets.scrubbed(f"{URL} T01234567 passw0rd abcdefgh services v2\n\x1b[0m" + "x" * 900)
    assert said[:61] == "[masked] [masked] [masked] [masked] [masked] v2 [0m" + "x" * 10
    assert len(said) == 200


def test_the_secrets_of_a_channel_are_found_wherever_they_stand() -> None:
    tables = {
        "hook": {
            "type": "webhook",
            "url": {"env": "A"},
            "signing_key": {"env": "B"},
            "headers": {"Token": {"env": "C"}},
        }
    }
    channel = channels_from(tables, "here")["hook"]
    assert [(key, secret.env) for key, secret in secrets_in(channel)] == [
        ("url", "A"),
        ("signing_key", "B"),
        ("headers.Token", "C"),
    ]
    assert missing_secrets("hook", channel, {"A": "x", "B": "y"}) == [
        "channels.hook.headers.Token: the variable C is not set"
    ]


def test_a_secret_does_not_show_in_a_repr() -> None:
    assert repr(Secret(env="KEY")) == "Secret(env='KEY', file=None)"
