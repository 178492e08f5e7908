"""E-mail, against a real SMTP server on loopback."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from tests.alerts.said import notification, notifier
from tests.alerts.sinks import SmtpSink, certificate, hanging, http_sink, smtp_sink
from tests.processes import free_port


def table(sink: SmtpSink, **more: Any) -> dict[str, Any]:
    return {
        "type": "email",
        "host": "127.0.0.1",
        "port": sink.port,
        "security": "none",
        "sender": "monitoring@example.org",
        "recipients": ["a@example.org", "b@example.org"],
        **more,
    }


def problem(found: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(DeliveryError) as caught:
        notifier(found, environ).send(notification())
    return str(caught.value)


@pytest.mark.requirement(
    "001:alerts:email",
    "000:alerts:email",
    "001:test:email",
    "003:alertmgr:email",
    "003:dep:smtp-sms",
)
@pytest.mark.requirement("alerts:told:channels")
@pytest.mark.requirement("000:dep:delivery")
def test_a_notification_is_one_mail_to_all_recipients() -> None:
    said = notification(severity="critical")
    with smtp_sink() as sink:
        assert notifier(table(sink)).send(said) == Sent()
    [envelope] = sink.got
    assert (envelope.mail_from, envelope.rcpt_tos) == (
        "monitoring@example.org",
        ["a@example.org", "b@example.org"],
    )
    mail = email.message_from_bytes(bytes(envelope.content or b""), policy=email.policy.default)
    assert mail["Subject"] == said.title
    assert mail["Message-ID"] == f"<{said.delivery_id}@contextframe-monitoring.invalid>"
    assert mail["References"] == f"<{said.thread}@contextframe-monitoring.invalid>"
    assert mail["Importance"] == "high"
    body = mail.get_body()
    assert body is not None
    assert "What to do: " in body.get_content()


@pytest.mark.requirement("alerts:told:some-recipients")
def test_one_refused_recipient_of_several_is_told_of_and_the_others_get_it() -> None:
    with smtp_sink() as sink:
        sink.refused["b@example.org"] = "550 no such user"
        sent = notifier(table(sink)).send(notification())
    assert sent.problem == "b@example.org is refused: 550 no such user"
    assert [envelope.rcpt_tos for envelope in sink.got] == [["a@example.org"]]


def test_when_every_recipient_is_refused_nobody_was_told() -> None:
    with smtp_sink() as sink:
        sink.refused = {"a@example.org": "550 no", "b@example.org": "450 later"}
        assert problem(table(sink)) == (
            "every recipient is refused: a@example.org: 550 no; b@example.org: 450 later"
        )


def test_the_login_is_protected_and_its_password_is_not_told(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    with smtp_sink(context, password="correct-horse") as sink:
        found = table(
            sink,
            security="starttls",
            username="me",
            password={"env": "PASSWORD"},
            ca_file=trusted,
        )
        assert notifier(found, {"PASSWORD": "correct-horse"}).send(notification()) == Sent()
        said = problem(found, {"PASSWORD": "wrong-horse"})
        assert said == "SMTP 535: 5.7.8 Authentication credentials invalid"
        untrusting = {key: value for key, value in found.items() if key != "ca_file"}
        assert problem(untrusting, {"PASSWORD": "correct-horse"}) == (
            "its certificate is not trusted: self-signed certificate"
        )
    assert len(sink.got) == 1


def test_a_password_does_not_travel_in_clear() -> None:
    sink = SmtpSink(port=25)
    found = table(sink, host="mail.example.org", username="me", password={"env": "PASSWORD"})
    assert problem(found) == 'security = "none" would show its password to everybody'


def test_a_server_that_is_silent_or_not_there_is_said_to_be_so() -> None:
    assert problem(table(SmtpSink(port=free_port()))) == "no connection: Connection refused"
    with http_sink() as sink, hanging() as sink.before_answer:
        port = int(sink.url.rpartition(":")[2])
        found = table(SmtpSink(port=port), timeout_seconds=0.2)
        assert problem(found) == "no answer within 0.2 s"


def test_a_subject_stays_one_header_whatever_stands_in_it() -> None:
    with smtp_sink() as sink:
        notifier(table(sink)).send(notification(message="x\r\nBcc: c@example.org\n\nhello ünïcode"))
    [envelope] = sink.got
    mail = email.message_from_bytes(bytes(envelope.content or b""), policy=email.policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"].split()[-5:] == ["x", "Bcc:", "c@example.org", "hello", "ünïcode"]
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
