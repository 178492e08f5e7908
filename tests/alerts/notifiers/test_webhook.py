"""Our own webhook: whoever has the key can check that it is us, and new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.core.notification import as_json
from contextframe_monitoring.core.webhook_signature import is_signed, signature
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import http_sink

ENVIRON = {"KEY": "shared-key", "TOKEN": "bearer-token"}


@pytest.mark.requirement("001:alerts:webhook", "003:alertmgr:webhook")
@pytest.mark.requirement("alerts:told:signed")
def test_a_notification_is_a_post_of_signed_json() -> None:
    said = notification()
    with http_sink() as sink:
        table = {
            "type": "webhook",
            "url": f"{sink.url}/hook",
            "signing_key": {"env": "KEY"},
            "headers": {"Authorization": {"env": "TOKEN"}},
        }
        assert notifier(table, ENVIRON).send(said) == Sent()
    [got] = sink.got
    assert (got.path, got.headers["Authorization"]) == ("/hook", "bearer-token")
    assert got.headers["X-Contextframe-Delivery"] == said.delivery_id
    stamp, signed = (got.headers[f"X-Contextframe-{it}"] for it in ("Timestamp", "Signature"))
    assert is_signed("shared-key", stamp, got.body, signed, int(stamp))
    assert not is_signed("shared-key", stamp, got.body + b" ", signed, int(stamp))
    assert got.json == as_json(said) | {
        "alerts": [as_json(said)["alerts"][0]],
        "analytics": [],
        "lines": [],
        "links": list(as_json(said)["links"]),
    }
    assert got.json["version"] == 1


def test_the_address_may_be_a_secret() -> None:
    with http_sink() as sink:
        table = {"type": "webhook", "url": {"env": "URL"}, "signing_key": {"env": "KEY"}}
        notifier(table, {**ENVIRON, "URL": f"{sink.url}/secret"}).send(notification())
    assert [got.path for got in sink.got] == ["/secret"]


def test_the_signature_is_the_published_one() -> None:
    """What `openssl dgst -sha256 -hmac key` gives too, for receivers in other languages."""
    assert signature("key", 1_795_000_000, b'{"version":1}') == (
        "v1=d3b0679e42961fa2cd39453e3e13895e99ed925eb817d200c8c2ae4b8b45ffdc"
    )


@given(st.binary(max_size=200), st.integers(0, 10**11), st.text(max_size=20))
def test_only_what_was_signed_with_the_key_passes(body: bytes, at: int, key: str) -> None:
    given_signature = signature(key, at, body)
    assert is_signed(key, str(at), body, given_signature, at)
    assert not is_signed(key + "x", str(at), body, given_signature, at)
    assert not is_signed(key, str(at + 1), body, given_signature, at)
    assert not is_signed(key, str(at), body, given_signature, at + 301)
    for stamp in ("", "-1", "x", "1" * 13, "٣"):
        assert not is_signed(key, stamp, body, given_signature, at)
    assert not is_signed(key, str(at), body, "é", at)
