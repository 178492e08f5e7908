"""`wrap` as its users meet it: a process between a host and a server."""

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import contextframe_monitoring.mcp.wrap as wrap_module
from contextframe_monitoring.mcp.wrap import Options, UsageError, parse
from tests.mcp.relay_support import ENVIRONMENT, Disk, recorded, wrapped, writers

PYTHON = sys.executable
ECHO = """
import sys
for line in sys.stdin.buffer:
    number = line.split(b'"id":')[1].split(b",")[0]
    sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":' + number + b',"result":{}}\\n')
    sys.stdout.buffer.flush()
"""
FOREIGN_ALLOWED = {"contextframe_monitoring", "msgspec", "typing_extensions", "platformdirs"}


def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **{"env": ENVIRONMENT, **pipes, **options})


def run(command: list[str], stdin: bytes = b"", **options: Any) -> tuple[int, bytes, str]:
    options = {"env": ENVIRONMENT, "timeout": 60, **options}
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, **options)
    return done.returncode, done.stdout, done.stderr.decode()


def request(number: int) -> bytes:
    line = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "t"}}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def script(text: str) -> list[str]:
    return [PYTHON, "-c", text]


def strange_stream() -> bytes:
    frames = [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}\r\n',
        b'[{"id":null,"method":"a"},{"id":1.5,"result":{}},7,[]]\n',
        b'{"id":123456789012345678901234567890,"method":"b"}\n{"id":true,"method":"c"}\n',
        b"null\n42\n\n\r\nplain text\n",
        b'{"id":"\xff\xfe","method":"\x00"}\n',
        b'{"id":2,"method":"big","params":{"x":"' + b"y" * 10_000_000 + b'"}}\n',
        random.Random(1).randbytes(100_000),
    ]
    return b"".join(frames) + b'\n{"id":3,"unterminated'


@pytest.mark.requirement("spine:wrap:byte-exact", "spine:wrap:strange-frames")
def test_a_strange_stream_comes_back_unchanged(tmp_path: Path) -> None:
    stream = strange_stream()

    code, out, err = run(wrapped(tmp_path, ["cat"]), stream)

    assert (code, out == stream, err) == (0, True, "")


@pytest.mark.parametrize(
    "block",
    [
        b"z" * 1_000_000,
        b'{"id":1,"method":"m","params":{"data":"' + b"z" * 999_000 + b'"}}\n',
        b"[" + b"{}," * 333_000 + b"{}]\n",
    ],
    ids=["one line", "requests", "batches"],
)
def test_100_mb_pass_within_32_mb_of_memory(tmp_path: Path, block: bytes) -> None:
    process = start(wrapped(tmp_path, ["cat"]))
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    count = 100

    def write() -> None:
        for _ in range(count):
            stdin.write(block)
        stdin.flush()

    writer = threading.Thread(target=write)
    writer.start()
    received = sum(len(stdout.read(len(block))) for _ in range(count))
    writer.join(60)
    status = Path(f"/proc/{process.pid}/status")
    peak = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    process.communicate(timeout=60)

    assert (received, process.returncode) == (count * len(block), 0)
    assert peak is None or int(peak.group(1)) <= 32 * 1024


@pytest.mark.requirement("spine:wrap:drains")
def test_everything_that_a_server_wrote_comes_out_before_the_end(tmp_path: Path) -> None:
    size = 5_000_000
    child = script(f"import os; os.write(1, b'q' * 60_000); os.write(1, b'q' * {size - 60_000})")
    process = start(wrapped(tmp_path, child), stderr=subprocess.DEVNULL)
    assert process.stdout is not None

    received = 0
    while chunk := os.read(process.stdout.fileno(), 4096):
        received += len(chunk)

    process.communicate(timeout=60)
    assert (received, process.returncode) == (size, 0)


def test_a_process_that_the_server_left_behind_does_not_hold_us(tmp_path: Path) -> None:
    process = start(wrapped(tmp_path, ["sh", "-c", "sleep 1000 & echo $!"]), stderr=None)

    assert process.wait(60) == 0
    assert process.stdout is not None
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    process.communicate()


def test_the_host_sees_when_the_server_closes_its_output(tmp_path: Path) -> None:
    process = start(wrapped(tmp_path, script("import os, sys; os.close(1); sys.stdin.read()")))
    assert process.stdin is not None
    assert process.stdout is not None

    assert process.stdout.read() == b""
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()


@pytest.mark.requirement("spine:wrap:stderr")
def test_the_error_stream_of_the_server_is_ours(tmp_path: Path) -> None:
    assert run(wrapped(tmp_path, ["sh", "-c", "echo to the log >&2"])) == (0, b"", "to the log\n")


def test_without_standard_input_the_server_sees_its_end(tmp_path: Path) -> None:
    closed = ["sh", "-c", 'exec "$@" <&-', "sh"]

    assert run([*closed, *wrapped(tmp_path, ["sh", "-c", "cat; echo end"])]) == (0, b"end\n", "")


@pytest.mark.requirement("spine:wrap:exit-code")
@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_of_the_server_is_ours(tmp_path: Path, code: int) -> None:
    assert run(wrapped(tmp_path, ["sh", "-c", f"exit {code}"])) == (code, b"", "")


@pytest.mark.requirement("spine:wrap:dead-child")
def test_a_killed_server_leaves_its_calls_as_errors(tmp_path: Path) -> None:
    child = script("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)")
    process = start(wrapped(tmp_path, child))
    assert process.stdin is not None
    process.stdin.write(request(5))
    process.stdin.flush()

    assert process.wait(60) == 137
    process.communicate()
    (call,) = recorded(tmp_path)
    assert (call.status, call.error_type, call.status_code) == ("error", "ServerExited", 137)
    assert call.origin.session_id == f"{writers(tmp_path)[0].writer}-c1"


@pytest.mark.requirement("spine:wrap:signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_reach_the_server_which_decides(tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    child = script(
        f"import os, signal, sys\nsignal.signal({number:d}, lambda *_: os._exit(40 + {number:d}))\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    process = start(wrapped(tmp_path, child))
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    process.send_signal(number)

    assert process.wait(60) == 40 + number
    process.communicate()


def test_a_signal_that_we_were_started_to_ignore_stays_ignored(tmp_path: Path) -> None:
    hangup = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    process = start([*hangup, *wrapped(tmp_path, ["sh", "-c", "echo ready; cat"])])
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    process.send_signal(signal.SIGHUP)

    out, _ = process.communicate(b"still here\n", timeout=60)
    assert (out, process.returncode) == (b"still here\n", 0)


def test_an_interrupt_from_the_terminal_reaches_the_server_once(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    child = script(
        "import signal, sys\ncaught = []\n"
        "signal.signal(signal.SIGINT, lambda *_: print('caught', caught.append(1), flush=True))\n"
        "print('ready', flush=True)\nsys.stdin.read()\nsys.exit(100 + len(caught))"
    )
    in_terminal = script(
        "import fcntl, os, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = start([*in_terminal, *wrapped(tmp_path, child)], stdin=slave, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.write(master, b"\x03")
    assert process.stdout.readline() == b"caught None\n"
    os.write(master, b"\x04")

    assert process.wait(60) == 101
    process.communicate()
    os.close(master)
    os.close(slave)


def test_a_server_whose_wrap_is_killed_sees_the_end_of_its_input(tmp_path: Path) -> None:
    child = "import sys; print('ready', flush=True); sys.stdin.read(); sys.stderr.write('eof seen')"
    process = start(wrapped(tmp_path, script(child)))
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"ready\n"

    process.kill()

    assert process.stderr.read() == b"eof seen"  # and the stream ends: the child is gone
    assert process.wait(60) == -signal.SIGKILL
    process.communicate()


@pytest.mark.requirement("spine:record:safe-when-back")
def test_an_answer_that_the_client_has_is_recorded_even_if_wrap_is_killed(tmp_path: Path) -> None:
    process = start(wrapped(tmp_path, script(ECHO)))
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(200):
        process.stdin.write(request(number))
        process.stdin.flush()
        assert process.stdout.readline()

    process.kill()
    process.communicate(timeout=60)

    calls = recorded(tmp_path)
    assert len(calls) == 200
    assert {(call.operation_type, call.status) for call in calls} == {("tools/call", "success")}


@pytest.mark.parametrize(("kind", "code"), [("missing", 127), ("plain", 126), ("folder", 126)])
def test_a_command_that_cannot_run_is_one_clear_line(tmp_path: Path, kind: str, code: int) -> None:
    (tmp_path / "plain").write_text("text")
    (tmp_path / "folder").mkdir()
    command = str(tmp_path / kind)

    found, out, err = run(wrapped(tmp_path / "store", [command]))

    reason = "was not found" if kind == "missing" else "can't be run: Permission denied"
    assert (found, out, err.count("\n")) == (code, b"", 1)
    assert err.startswith(f"contextframe-monitoring wrap: command {command!r} {reason}; ")
    assert not (tmp_path / "store").exists()


def test_the_command_line_is_read() -> None:
    assert parse(
        ["--name", "n", "--store=s3://b", "--config", "f", "--", "cmd", "--name", "x"]
    ) == (Options(command=["cmd", "--name", "x"], name="n", store="s3://b", config="f"))
    assert parse(["--", "cmd", "--", "y"]) == Options(command=["cmd", "--", "y"])


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ([], "the command to run is missing after '--'"),
        (["--"], "the command to run is missing after '--'"),
        (["--name", "n"], "the command to run is missing after '--'"),
        (["--nmae", "n", "--", "c"], "'--nmae' is no option of wrap: it has --name, "),
        (["python", "server.py"], "'python' is no option of wrap: put '--' before the command"),
        (["--name", "--", "c"], "--name needs a value"),
        (["--store=", "--", "c"], "--store needs a value"),
    ],
)
@pytest.mark.requirement("doors:first:errors")
def test_a_usage_error_names_its_culprit(arguments: list[str], culprit: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments)

    assert str(caught.value).startswith(culprit)
    assert str(caught.value).endswith(wrap_module.USAGE)


def test_usage_and_configuration_errors_are_one_line_and_exit_2(tmp_path: Path) -> None:
    config = tmp_path / "monitoring.toml"
    config.write_text("# ours\nenabled = 3\n")
    wrap = [PYTHON, "-m", "contextframe_monitoring", "wrap"]

    assert run([*wrap, "--nope"])[0] == 2
    code, out, err = run([*wrap, "--config", str(config), "--", "cat"])
    assert (code, out) == (2, b"")
    culprit = f"{config}, line 2: enabled = 3 is not allowed: expected bool, got int"
    assert err == f"contextframe-monitoring wrap: {culprit}\n"


def test_help_says_how_it_is_used() -> None:
    code, out, err = run([PYTHON, "-m", "contextframe_monitoring", "wrap", "--help"])

    assert (code, err) == (0, "")
    text = " ".join(out.decode().split())
    assert "wrap --name time -- uvx mcp-server-time" in text
    assert {option for option in wrap_module.OPTIONS if option in text} == {*wrap_module.OPTIONS}


@pytest.mark.requirement("spine:wrap:name")
@pytest.mark.parametrize(
    ("options", "variable", "name"),
    [([], None, "cat"), ([], "env", "env"), (["--name", "mine"], "env", "mine")],
)
def test_a_server_is_named_by_option_configuration_or_command(
    tmp_path: Path, options: list[str], variable: str | None, name: str
) -> None:
    more = {} if variable is None else {"CONTEXTFRAME_MONITORING_SERVER": variable}
    run(
        wrapped(tmp_path, ["cat"], *options),
        b'{"jsonrpc":"2.0","method":"n"}\n',
        env={**ENVIRONMENT, **more},
    )

    assert {record.origin.server for record in recorded(tmp_path)} == {name}
    header = writers(tmp_path)[0].header
    assert header is not None
    assert header.label == name


@pytest.mark.requirement("spine:record:imports-nothing-heavy")
def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    whole = (
        "import sys\nbefore = set(sys.modules)\nfrom contextframe_monitoring.__main__ import main\n"
        "try: main()\nexcept SystemExit: sys.stderr.write(' '.join(set(sys.modules) - before))"
    )
    options = ["wrap", "--store", str(tmp_path), "--", *script(ECHO)]

    code, out, err = run([*script(whole), *options], request(1))

    assert (code, out, len(recorded(tmp_path))) == (0, b'{"jsonrpc":"2.0","id":1,"result":{}}\n', 1)
    imported = {name.split(".")[0] for name in err.split()}
    assert imported - sys.stdlib_module_names <= FOREIGN_ALLOWED
    assert imported.isdisjoint({"asyncio", "argparse", "ssl", "sqlite3", "email", "http"})


@pytest.mark.requirement("spine:wrap:no-store", "000:rel:isolation")
def test_a_store_that_cannot_be_written_is_said_once_and_the_server_runs_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("a file")
    requests = b"".join(map(request, range(50)))

    code, out, err = run(wrapped(store, ["cat"]), requests)

    assert (code, out == requests) == (0, True)
    assert err.count("\n") == 1
    assert err.startswith("contextframe-monitoring wrap: can't record ([Errno 20] Not a directory:")


@pytest.mark.requirement("002:config:enabled")
def test_switched_off_it_records_nothing_and_says_nothing(tmp_path: Path) -> None:
    off = {**ENVIRONMENT, "CONTEXTFRAME_MONITORING_ENABLED": "false"}

    assert run(wrapped(tmp_path / "s", ["cat"]), request(1), env=off) == (0, request(1), "")
    assert not (tmp_path / "s").exists()


@pytest.mark.requirement("spine:fault:spool-full")
def test_a_full_disk_is_said_once_and_the_losses_are_counted(disk: Disk) -> None:
    count = 20_000
    requests = b"".join(map(request, range(count)))
    answers = b"".join(b'{"jsonrpc":"2.0","id":%d,"result":{}}\n' % n for n in range(count))

    code, out, err = run([*disk.limited, *wrapped(disk.folder / "s", script(ECHO))], requests)

    assert (code, out == answers, err.count("\n")) == (0, True, 1)
    assert err.startswith(f"contextframe-monitoring wrap: can't record ({disk.refusal}")
    header = writers(disk.folder / "s")[0].header
    assert header is not None
    stored, lost = len(recorded(disk.folder / "s")), sum(header.losses)
    assert (stored + lost, stored > 0, lost > 0) == (count, True, True)
