"""One POST: every way that it can go wrong has its words, and none of them holds an address."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.http_post import ANSWER_BYTES_MAX, Post, post, retry_after
from contextframe_monitoring.alerts.notifier import DeliveryError
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.secret import Secret
from tests.alerts.sinks import Answer, certificate, hanging, http_sink
from tests.processes import free_port

TOKEN = "T0123SECRET"
SECRETS = Secrets("channels.ops", {"URL": f"https://hooks.example.org/services/{TOKEN}"})
SECRETS.read("url", Secret(env="URL"))


def sent(url: str, *, timeout_seconds: float = 5, ca_file: str | None = None) -> str:
    return post(
        Post(
            url=url,
            body=b"{}",
            headers={"Content-Type": "application/json"},
            timeout_seconds=timeout_seconds,
            ca_file=ca_file,
        ),
        SECRETS,
    )


def problem(url: str, **options: object) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sent(url, **options)  # type: ignore[arg-type]
    assert TOKEN not in str(caught.value)
    return caught.value


def test_an_answer_of_success_is_returned_bounded() -> None:
    with http_sink(Answer(202, "x" * 100_000)) as sink:
        assert sent(sink.url) == "x" * ANSWER_BYTES_MAX
        assert sink.got[0].body == b"{}"


@pytest.mark.parametrize(
    ("answer", "said", "seconds"),
    [
        (Answer(500, "oops"), "HTTP 500: oops", None),
        (Answer(404, ""), "HTTP 404", None),
        (Answer(400, f"no {TOKEN} here\n\x1b[31m"), "HTTP 400: no [masked] here [31m", None),
        (Answer(429, "", {"Retry-After": "7"}), "HTTP 429", 7.0),
        (Answer(503, "", {"Retry-After": "99999999"}), "HTTP 503", 3600.0),
        (Answer(307, "", {"Location": "https://elsewhere.example.org"}), "HTTP 307", None),
    ],
)
def test_a_refusal_is_told_with_what_the_service_says(
    answer: Answer, said: str, seconds: float | None
) -> None:
    with http_sink(answer) as sink:
        found = problem(f"{sink.url}/services/{TOKEN}")
        assert (found.problem, found.retry_after_seconds) == (said, seconds)
        assert len(sink.got) == 1


@pytest.mark.requirement("004:rule:timeouts")
def test_a_service_that_hangs_is_left_after_the_timeout() -> None:
    with http_sink() as sink, hanging() as sink.before_answer:
        assert problem(sink.url, timeout_seconds=0.2).problem == "no answer within 0.2 s"


def test_a_service_that_is_not_there_is_said_to_be_so() -> None:
    found = problem(f"http://127.0.0.1:{free_port()}/{TOKEN}")
    assert found.problem == "no connection: Connection refused"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    with http_sink(tls=context) as sink:
        found = problem(f"{sink.url}/{TOKEN}")
        assert found.problem == "its certificate is not trusted: self-signed certificate"
        assert sink.got == []
        assert sent(sink.url, ca_file=trusted) == "ok"
    assert problem(sink.url, ca_file="/nowhere").problem == (
        "ca_file can't be read: No such file or directory"
    )


def test_an_answer_that_is_no_http_is_no_success() -> None:
    with http_sink(Answer(200, "ok", {"Bad\nHeader": "x"})) as sink:
        sink.answers = [Answer(99999)]
        assert problem(sink.url).problem.startswith("no connection: ")


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://x/y", "https://", "http://[::1", "https://ä.example"]
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    assert problem(url).problem == (
        "its url is not an address that starts with https:// or http://"
    )


def test_an_address_is_not_shown_by_what_holds_it() -> None:
    what = Post(url=f"https://x/{TOKEN}", body=b"", headers={"Auth": TOKEN}, timeout_seconds=1)
    assert TOKEN not in repr(what)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0", None),
        ("-5", None),
        ("Wed, 18 Nov 2026 10:01:00 GMT", 60.0),
        ("Wed, 18 Nov 2026 09:00:00 GMT", None),
        ("soon", None),
        ("nan", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    now = dt.datetime(2026, 11, 18, 10, tzinfo=dt.UTC)
    assert retry_after(value, now) == seconds
