"""POST over TLS: whom it trusts, and that a deadline holds below it, too."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.targets.exporter import TargetError
from contextframe_monitoring.export.targets.post import Post, Trust


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    path = tmp_path / "server.pem"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key.pem"), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "key.pem").read_text())
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[tuple[str, threading.Event]]:
    """Answers a request when it is told to, and hangs until then."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    request = b""
                    while not request.endswith(b"\r\n\r\nx"):  # head and body, however cut
                        request += encrypted.recv(65_536) or b"\r\n\r\nx"
                    answer.wait(30)
                    encrypted.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", answer
        answer.set()
        with socket.create_connection(listening.getsockname(), timeout=5):
            pass
        thread.join()


def post(url: str, *, timeout_seconds: float = 10, ca_file: str | None = None) -> Post:
    trust = Trust(ca_file=ca_file)
    return Post(url, key="url", headers={}, timeout_seconds=timeout_seconds, trust=trust)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: tuple[str, threading.Event],
) -> None:
    with pytest.raises(TargetError, match=r": TLS failed \(CERTIFICATE_VERIFY_FAILED\)$"):
        post(server[0]).send(b"x", "text/plain")


def test_one_that_is_trusted_by_choice_is_taken(
    server: tuple[str, threading.Event], certificate: Path
) -> None:
    server[1].set()
    assert post(server[0], ca_file=str(certificate)).send(b"x", "text/plain") == b""


def test_a_deadline_holds_over_tls(server: tuple[str, threading.Event], certificate: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(TargetError, match=r": no answer within 0.3 s$"):
        post(server[0], ca_file=str(certificate), timeout_seconds=0.3).send(b"x", "text/plain")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "url", ["", "h", "ftp://h", "http://", "http://h:0", "http://h:x", "http://h/\n", "http://[::1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidError, match=r"url = \(not shown\) is not allowed: expected http:"):
        post(url)
