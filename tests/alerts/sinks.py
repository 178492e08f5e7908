"""Servers on loopback that play the services which notifications go to."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.processes import free_port

HOST = "127.0.0.1"


class Got(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a service answers."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class HttpSink:
    """A service behind HTTP: it answers as it is told, the last answer again and again."""

    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    got: list[Got] = field(default_factory=list)
    before_answer: Callable[[], object] = field(default=lambda: None)
    """Called when a request has come, before it is answered."""
    url: str = ""


@contextmanager
def http_sink(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[HttpSink]:
    """Serve until the end of the block."""
    sink = HttpSink(list(answers) or [Answer()])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.got.append(Got(self.path, dict(self.headers), body))
            answer = sink.answers.pop(0) if len(sink.answers) > 1 else sink.answers[0]
            sink.before_answer()
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body.encode())
            except OSError:
                self.close_connection = True  # the client went away meanwhile

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that hang up."""

    server = Server((HOST, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    sink.url = f"{scheme}://{HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hanging() -> Iterator[Callable[[], object]]:
    """Give something that does not return until the end of the block, for `before_answer`."""
    over = threading.Event()
    try:
        yield over.wait
    finally:
        over.set()


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return what a server on loopback proves itself with, and the file that says to trust it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a sink of a test")])
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "private.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, str(trusted)


@dataclass
class SmtpSink:
    """A mail server that refuses whom it is told to refuse."""

    refused: dict[str, str] = field(default_factory=dict)
    """Recipient -> what it is answered."""
    got: list[Envelope] = field(default_factory=list)
    password: str | None = None
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.got.append(envelope)
        return "250 OK"

    def check(self, *arguments: object) -> AuthResult:
        """Return whether it is the right password; the last argument is what was given."""
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        return AuthResult(success=given.password.decode() == self.password, handled=False)


@contextmanager
def smtp_sink(tls: ssl.SSLContext | None = None, password: str | None = None) -> Iterator[SmtpSink]:
    """Serve until the end of the block; with TLS and a password when they are given."""
    sink = SmtpSink(password=password)
    controller = Controller(
        sink,
        hostname=HOST,
        port=free_port(),
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=sink.check,
        auth_required=password is not None,
    )
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()
