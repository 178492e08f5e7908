"""`wrap --http` as its users meet it: a process between clients and a streamable HTTP server."""

import contextlib
import datetime as dt
import gzip
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contextframe_monitoring.mcp.wrap import UsageError, parse
from tests.mcp.http_support import (
    JSON,
    answer,
    call,
    post,
    read_until,
    relayed,
    result,
    scripted,
)
from tests.mcp.relay_support import ENVIRONMENT
from tests.processes import DEADLINE_SECONDS, free_port, listens, run

EVENTS = b"Content-Type: text/event-stream"
CHUNKED = b"Transfer-Encoding: chunked"
FOREIGN_ALLOWED = {"contextframe_monitoring", "msgspec", "typing_extensions", "platformdirs"}


@pytest.fixture(autouse=True)
def _no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])


def test_both_ways_pass_byte_for_byte_but_for_the_host_and_no_credential_is_kept(
    tmp_path: Path,
) -> None:
    seen: list[bytes] = []
    secret = b"Bearer sk-this-is-nobodys-business-0123456789"
    strange = (
        b"HTTP/1.1 200 Just Fine\r\n"
        b"cOnTeNt-TyPe:text/event-stream; charset=utf-8\r\nX-Odd:\t a b \r\n"
        b"Mcp-Session-Id: s-1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;ext=1\r\n: hi\n\r\n3\r\n\nid\r\n0A\r\n: 7\ndata: \r\n%x\r\n%s\r\n2\r\n\n\n\r\n"
        b"0\r\nX-Trailer: yes\r\n\r\n"
    ) % (len(result(7)), result(7))

    def speak(connection: socket.socket) -> None:
        seen.append(read_until(connection, b"0\r\n\r\n"))
        connection.sendall(strange)
        seen.append(read_until(connection, b"again"))
        connection.sendall(answer(b"", status=b"202 Accepted"))
        read_until(connection, b"never")

    body = call(7)
    head = (
        b"POST /mcp?x=1 HTTP/1.1\r\nhOsT: %s\r\nauthorization: %s\r\nMcp-Method:  tools/call\r\n"
        b"Mcp-Name: add\r\naccept-encoding: gzip, deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    other = b"POST /else HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\nagain"
    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            client.sendall(head % (b"[::1]:1", secret) + chunks)
            assert read_until(client, strange[-30:]) == strange
            client.sendall(other % b"[::1]:1")
            assert read_until(client, b"\r\n\r\n") == answer(b"", status=b"202 Accepted")
        upstream = f"127.0.0.1:{server.port}".encode()
        assert seen == [head % (upstream, secret) + chunks, other % upstream]
        (record,) = relay.records_when(1)

    assert (record.operation_type, record.target, record.status) == ("tools/call", "add", "success")
    assert (record.request_size, record.result_size) == (len(body), len(result(7)))
    assert (record.request_tokens, record.result_tokens, record.tokens_estimated) == (7, 2, True)
    assert record.origin.transport == "streamable-http"
    assert record.origin.session_id == "s-1"
    assert record.origin.server == upstream.decode()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"nobodys-business" not in kept


def test_encodings_that_we_could_not_read_are_not_asked_for_and_gzip_is_read(
    tmp_path: Path,
) -> None:
    seen: list[bytes] = []
    packed = gzip.compress(result("a", isError=True))

    def speak(connection: socket.socket) -> None:
        seen.append(read_until(connection, call("a")))
        connection.sendall(answer(packed, JSON, b"Content-Encoding: gzip"))

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            client.sendall(post(call("a"), b"Accept-Encoding: br;q=1.0, gzip, zstd, deflate"))
            assert read_until(client, packed) == answer(packed, JSON, b"Content-Encoding: gzip")
        (record,) = relay.records_when(1)

    assert b"Accept-Encoding: gzip, deflate\r\n" in seen[0]
    assert (record.status, record.error_type, record.result_size) == (
        "error",
        "tool_error",
        len(result("a", isError=True)),
    )


def test_a_server_that_cannot_be_reached_is_one_clear_502(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/mcp"
    with relayed(tmp_path, url, "--name", "mine") as relay, relay.connect() as client:
        client.sendall(post(call("x")))
        head, _, body = read_until(client, b"never").partition(b"\r\n\r\n")
        (record,) = relay.records_when(1)

    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\n")
    message = (
        f"contextframe-monitoring wrap: the MCP server at {url.removesuffix('/mcp')}"
        " can't be reached (Connection refused); is it running?"
    )
    error = {"code": -32000, "message": message}
    assert json.loads(body) == {"jsonrpc": "2.0", "id": "x", "error": error}
    assert (record.operation_type, record.status, record.error_type, record.status_code) == (
        "tools/call",
        "error",
        "ServerUnreachable",
        502,
    )
    assert record.origin.server == "mine"


def certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1, with its key, that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem)
    )
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_over_tls_is_reached_when_its_certificate_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    pem = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)

    def speak(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), tls.wrap_socket(connection, server_side=True) as s:
            read_until(s, call(1))
            s.sendall(answer(result(1), JSON))

    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with scripted(speak) as server:
        url = f"https://localhost:{server.port}/mcp"
        with relayed(tmp_path / "store", url) as relay, relay.connect() as client:
            client.sendall(post(call(1)))
            got = read_until(client, b"never")
            (record,) = relay.records_when(1)
    if trusted:
        assert got == answer(result(1), JSON)
        assert record.status == "success"
    else:
        assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"(its certificate is not trusted: self-signed certificate)" in got
        assert record.error_type == "ServerUnreachable"


def test_bytes_that_are_no_http_are_refused_and_recorded(tmp_path: Path) -> None:
    with scripted(lambda c: None) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            client.sendall(b"BREW\r\n\r\n")
            assert read_until(client, b"never").startswith(b"HTTP/1.1 400 Bad Request\r\n")
        (record,) = relay.records_when(1)
    assert (record.operation_type, record.error_type) == ("http/refused", "http_400")


def test_a_page_that_renamed_our_address_reaches_nothing(tmp_path: Path) -> None:
    reached: list[bytes] = []
    hosts = (b"evil.example:8901", b"127.0.0.1.evil.example", b"localhost.evil")
    with (
        scripted(lambda c: reached.append(c.recv(1))) as server,
        relayed(tmp_path, server.url) as relay,
    ):
        for host in hosts:
            with relay.connect() as client:
                client.sendall(post(call(1)).replace(b"localhost:9", host))
                refusal = read_until(client, b"never")
            assert refusal.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
        records = relay.records_when(3)
    assert {(r.operation_type, r.error_type, r.status_code) for r in records} == {
        ("http/refused", "http_421", 421)
    }
    assert b"".join(reached) == b""


@pytest.mark.parametrize("session", [b"", b"Mcp-Session-Id: s"], ids=["without", "with"])
def test_a_client_that_leaves_ends_the_call_at_the_server(tmp_path: Path, session: bytes) -> None:
    left = threading.Event()

    def speak(connection: socket.socket) -> None:
        read_until(connection, call(1))
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + EVENTS + b"\r\n" + CHUNKED + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            read_until(connection, b"never")
        left.set()

    more = [session] if session else []
    with scripted(speak) as server:
        with relayed(tmp_path, server.url) as relay:
            with relay.connect() as client:
                client.sendall(post(call(1), *more))
                read_until(client, b"\r\n\r\n")
            assert left.wait(DEADLINE_SECONDS)
            if not session:
                relay.records_when(1)
        (record,) = relay.records()

    # in a session a client may come back for the answer: nobody did until the relay stopped
    expected = ("error", "RelayStopped") if session else ("cancelled", None)
    assert (record.status, record.error_type) == expected


def test_a_server_that_dies_ends_the_clients_stream(tmp_path: Path) -> None:
    part = b"HTTP/1.1 200 OK\r\n" + EVENTS + b"\r\n" + CHUNKED + b"\r\n\r\n6\r\n: wait\r\n"

    def speak(connection: socket.socket) -> None:
        read_until(connection, call(1))
        connection.sendall(part)

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            client.sendall(post(call(1)))
            assert read_until(client, b"never") == part
        (record,) = relay.records_when(1)
    assert (record.status, record.error_type) == ("error", "ServerDisconnected")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_call_end_and_cuts_what_only_listens(tmp_path: Path, number: int) -> None:
    asked, go, over = threading.Event(), threading.Event(), threading.Event()

    def stream(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + EVENTS + b"\r\n\r\n")
            assert over.wait(DEADLINE_SECONDS)

    def serve(connection: socket.socket) -> None:
        if connection.recv(3, socket.MSG_PEEK) == b"GET":
            threading.Thread(target=stream, args=(connection.dup(),), daemon=True).start()
            return
        read_until(connection, call(1))
        asked.set()
        assert go.wait(DEADLINE_SECONDS)
        connection.sendall(answer(result(1), JSON))
        read_until(connection, b"never")

    with scripted(serve) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as listening, relay.connect() as calling:
            listening.sendall(b"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            read_until(listening, b"\r\n\r\n")
            calling.sendall(post(call(1)))
            assert asked.wait(DEADLINE_SECONDS)
            relay.process.send_signal(number)
            assert read_until(listening, b"never") == b""
            assert not listens(relay.port)
            go.set()
            assert read_until(calling, b"never") == answer(result(1), JSON)
            assert relay.process.wait(DEADLINE_SECONDS) == 0
        over.set()
        (record,) = relay.records()
    assert (record.operation_type, record.status) == ("tools/call", "success")


def test_the_same_id_on_two_sockets_and_in_two_sessions_is_four_calls(tmp_path: Path) -> None:
    def speak(connection: socket.socket) -> None:
        for _ in range(2):
            asked = read_until(connection, b"}}}")
            name = re.findall(rb'"name": "(\w+)"', asked)[0]
            connection.sendall(answer(result(1, isError=name == b"fail"), JSON))
        read_until(connection, b"never")

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        for names in (("a", "fail"), ("fail", "b")):
            with relay.connect() as client:
                for name, session in zip(names, ("s1", "s2"), strict=True):
                    client.sendall(post(call(1, name), b"Mcp-Session-Id: " + session.encode()))
                    read_until(client, b"}}")
        records = relay.records_when(4)
    assert [(r.target, r.status, r.origin.session_id) for r in records] == [
        ("a", "success", "s1"),
        ("fail", "error", "s2"),
        ("fail", "error", "s1"),
        ("b", "success", "s2"),
    ]


@pytest.mark.parametrize("kind", [JSON, EVENTS], ids=["json", "events"])
def test_100_mb_pass_within_48_mb_of_memory(tmp_path: Path, kind: bytes) -> None:
    count, block = 100, b"z" * 1_000_000
    before, after = b'{"jsonrpc":"2.0","result":{"content":[],"x":"', b'"},"id":1}'
    if kind == EVENTS:
        before, after = b"data: " + before, after + b"\n\n"
    size = len(before) + count * len(block) + len(after)

    def speak(connection: socket.socket) -> None:
        read_until(connection, call(1))
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + kind + b"\r\nContent-Length: %d\r\n\r\n" % size)
        connection.sendall(before)
        for _ in range(count):
            connection.sendall(block)
        connection.sendall(after)
        read_until(connection, b"never")

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            client.settimeout(DEADLINE_SECONDS)
            client.sendall(post(call(1)))
            received = 0
            while received < size:
                received += len(client.recv(1 << 20))
        (record,) = relay.records_when(1)
        status = Path(f"/proc/{relay.process.pid}/status")
        peak = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None

    assert (record.status, record.target) == ("success", "add")
    assert record.result_size == size - (8 if kind == EVENTS else 0)
    assert record.result_tokens is None
    assert peak is None or int(peak.group(1)) <= 48 * 1024


def test_a_store_that_cannot_be_written_never_disturbs(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("a file")

    def speak(connection: socket.socket) -> None:
        for _ in range(20):
            read_until(connection, call(1))
            connection.sendall(answer(result(1), JSON))

    with scripted(speak) as server, relayed(store, server.url) as relay:
        with relay.connect() as client:
            for _ in range(20):
                client.sendall(post(call(1)))
                assert read_until(client, result(1)) == answer(result(1), JSON)
        relay.process.terminate()
        assert relay.process.stderr is not None
        said = relay.process.stderr.read().decode()
    assert "contextframe-monitoring wrap: can't record ([Errno 20] Not a directory:" in said
    assert said.count("\n") == 2


def test_nothing_heavy_is_imported_and_stdio_stays_without_asyncio(tmp_path: Path) -> None:
    port, taken = free_port(), free_port()
    whole = (
        "import sys, os, signal, threading\nbefore = set(sys.modules)\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "from contextframe_monitoring.__main__ import main\n"
        "try: main()\nexcept SystemExit: print(' '.join(set(sys.modules) - before))"
    )
    options = ["--http", f"http://127.0.0.1:{taken}/", "--listen", f"127.0.0.1:{port}"]
    command = [sys.executable, "-c", whole, "wrap", *options, "--store", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    imported = {name.split(".")[0] for name in done.stdout.split()}
    assert imported - sys.stdlib_module_names <= FOREIGN_ALLOWED
    assert "asyncio" in imported


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["--http", "http://x/mcp"], "--listen is missing: --http and --listen go together"),
        (["--listen", "127.0.0.1:1"], "--http is missing: --http and --listen go together"),
        (
            ["--http", "http://x", "--listen", "127.0.0.1:1", "--", "cmd"],
            "--http takes no command: that server runs already",
        ),
    ],
)
def test_a_usage_error_names_its_culprit(arguments: list[str], culprit: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments)
    assert str(caught.value).startswith(culprit)


@pytest.mark.parametrize(
    ("url", "listen", "said"),
    [
        ("ftp://h/mcp", "127.0.0.1:1", "--http = 'ftp://h/mcp' is not allowed: expected the"),
        ("127.0.0.1:3000", "127.0.0.1:1", "is not allowed: expected the server's URL"),
        ("http://u:pw@h/mcp", "127.0.0.1:1", "--http = 'http://h/mcp' is not allowed: expected a"),
        ("http://h/mcp?key=pw", "127.0.0.1:1", "--http = 'http://h/mcp' is not allowed"),
        ("http://h/mcp", "0.0.0.0:80", "--listen = '0.0.0.0:80' is not allowed: expected a loop"),
        ("http://h/mcp", "8080", "--listen = '8080' is not allowed: expected HOST:PORT"),
        ("http://127.0.0.1:80/m", "127.0.0.1:80", "expected an address other than the server's"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(
    tmp_path: Path, url: str, listen: str, said: str
) -> None:
    done = run("wrap", "--http", url, "--listen", listen, "--store", str(tmp_path / "s"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert "pw" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(
            "wrap", "--http", "http://127.0.0.1:1", "--listen", listen, "--store", str(tmp_path)
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{listen} can't be used" in done.stderr
