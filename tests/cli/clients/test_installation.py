"""Install and uninstall as changes of a text: real configurations, and any other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.cli.clients.document import Document
from contextframe_monitoring.cli.clients.entries import OWN_NAME, read_entry
from contextframe_monitoring.cli.clients.installation import (
    Change,
    Wanted,
    installed,
    server_maps,
    uninstalled,
)
from contextframe_monitoring.core.errors import ConflictError, InvalidError
from tests.cli.clients.configurations import ENTRIES, KEYS, VALUES, documents

OURS = "/opt/tools/bin/contextframe-monitoring"
FOUND = {"npx": "/usr/local/bin/npx", "uvx": "/home/me/.local/bin/uvx"}

DESKTOP = """\
{
    // what I use every day
    "globalShortcut": "Ctrl+Space",
    "mcpServers": {
        "time": {
            "command": "uvx",
            "args": ["mcp-server-time", "--local-timezone", "Europe/Berlin"],
            "env": {"TZ": "UTC"}
        },
        /* from the team */
        "files": {
            "command": "npx",
            "args": [
                "-y",
                "@modelcontextprotocol/server-filesystem", // all of it
                "/home/me/My Documents"
            ],
            "disabled": false,
        },
        "notion": { "type": "http", "url": "https://example.org/mcp" }, // remote
        "bare": { "command": "./run.sh" }
    },
    "preferences": {"theme": "dark"}
}
"""
DESKTOP_WRAPPED = """\
{
    // what I use every day
    "globalShortcut": "Ctrl+Space",
    "mcpServers": {
        "time": {
            "command": "/opt/tools/bin/contextframe-monitoring",
            "args": ["wrap", "--name", "time", "--", "/home/me/.local/bin/uvx", \
"mcp-server-time", "--local-timezone", "Europe/Berlin"],
            "env": {"TZ": "UTC"}
        },
        /* from the team */
        "files": {
            "command": "/opt/tools/bin/contextframe-monitoring",
            "args": [
                "wrap",
                "--name",
                "files",
                "--",
                "/usr/local/bin/npx",
                "-y",
                "@modelcontextprotocol/server-filesystem", // all of it
                "/home/me/My Documents"
            ],
            "disabled": false,
        },
        "notion": { "type": "http", "url": "https://example.org/mcp" }, // remote
        "bare": { "command": "/opt/tools/bin/contextframe-monitoring", \
"args": ["wrap", "--name", "bare", "--", "./run.sh"] },
        "contextframe-monitoring": {
            "command": "/opt/tools/bin/contextframe-monitoring",
            "args": [
                "serve"
            ]
        }
    },
    "preferences": {"theme": "dark"}
}
"""


def which(name: str, search_path: str | None) -> str | None:
    return FOUND.get(name) if search_path is None else f"{search_path}/{name}"


def install(text: str, **wanted: Any) -> Change:
    return installed(text, "f", Wanted(launcher=(OURS,), **wanted), which)


@pytest.mark.requirement("doors:install:adds", "doors:install:wraps", "doors:shown:round-trips")
def test_a_real_configuration_is_wrapped_where_it_must_be_and_nowhere_else() -> None:
    change = install(DESKTOP, wrap_all=True)
    assert change.text == DESKTOP_WRAPPED
    assert change.said == [
        "adds contextframe-monitoring",
        "wraps time",
        "wraps files",
        "leaves notion: it is reached by URL, not started",
        "wraps bare",
    ]
    assert uninstalled(change.text, "f", DESKTOP).text == DESKTOP


@pytest.mark.requirement("doors:install:idempotent")
def test_installing_again_changes_nothing() -> None:
    assert install(DESKTOP_WRAPPED, wrap_all=True).text == DESKTOP_WRAPPED
    assert install(DESKTOP_WRAPPED).text == DESKTOP_WRAPPED


def test_only_the_named_are_wrapped() -> None:
    change = install(DESKTOP, names=frozenset({"time", "nobody"}))
    assert (change.said, change.matched) == (
        ["adds contextframe-monitoring", "wraps time"],
        {"time"},
    )
    assert change.names == {"time", "files", "notion", "bare"}
    again = install(change.text, names=frozenset({"files"}))
    assert again.said == ["wraps files"]
    assert uninstalled(again.text, "f", DESKTOP).text == DESKTOP


def test_what_others_changed_meanwhile_stays_when_we_leave() -> None:
    touched = DESKTOP_WRAPPED.replace('"dark"', '"light"').replace('"UTC"', '"CET"')
    expected = DESKTOP.replace('"dark"', '"light"').replace('"UTC"', '"CET"')
    assert uninstalled(touched, "f", DESKTOP).text == expected


def test_a_client_that_writes_its_file_anew_changes_nothing_for_us() -> None:
    for indent in (None, 2, "\t"):
        value = Document(DESKTOP_WRAPPED, "f").value
        change = uninstalled(json.dumps(value, indent=indent), "f", DESKTOP)
        assert Document(change.text, "f").value == Document(DESKTOP, "f").value


def test_without_a_backup_a_wrapped_command_stays_absolute() -> None:
    change = uninstalled(DESKTOP_WRAPPED, "f", None)
    expected = (
        DESKTOP.replace('"uvx"', '"/home/me/.local/bin/uvx"')
        .replace('"npx"', '"/usr/local/bin/npx"')
        .replace('"./run.sh" }', '"./run.sh", "args": [] }')
    )
    assert change.text == expected


def test_what_was_wrapped_by_hand_stays() -> None:
    by_hand = {"command": OURS, "args": ["wrap", "--", "uvx", "x"]}
    by_uvx = {"command": "uvx", "args": ["contextframe-monitoring", "wrap", "--", "uvx", "x"]}
    text = json.dumps({"mcpServers": {"a": by_hand, "b": by_uvx}})
    change = install(text, wrap_all=True)
    assert change.said == [
        "adds contextframe-monitoring",
        "leaves a: it is wrapped already",
        "leaves b: it is wrapped already",
    ]
    assert uninstalled(change.text, "f", text).text == text


@pytest.mark.parametrize(
    "serving",
    [
        {"command": "uvx", "args": ["contextframe-monitoring[web]", "serve"]},
        {"command": "uvx", "args": ["--from", "contextframe-monitoring==1.0",
                                    "contextframe-monitoring", "serve"]},
        {"command": "/venv/bin/python", "args": ["-m", "contextframe_monitoring", "serve"]},
        {"command": "C:\\T\\Contextframe-Monitoring.EXE", "args": ["serve", "--config", "x"]},
    ],
)  # fmt: skip
def test_our_server_under_another_name_is_ours(serving: dict[str, Any]) -> None:
    text = json.dumps({"mcpServers": {"spend": serving}})
    assert "adds contextframe-monitoring" not in install(text).said
    change = install(text, wrap_all=True)
    assert Document(change.text, "f").value["mcpServers"].keys() == {"spend"}


def test_another_installation_takes_over_every_path_of_ours() -> None:
    new = ("/new/python", "-m", "contextframe_monitoring")
    change = installed(DESKTOP_WRAPPED, "f", Wanted(launcher=new), which)
    assert change.said == [
        f"updates the path of our program in {name}"
        for name in ("time", "files", "bare", "contextframe-monitoring")
    ]
    servers = Document(change.text, "f").value["mcpServers"]
    assert servers["time"]["command"] == "/new/python"
    assert servers["time"]["args"][:7] == [
        *new[1:],
        "wrap",
        "--name",
        "time",
        "--",
        which("uvx", None),
    ]
    assert installed(change.text, "f", Wanted(launcher=(OURS,)), which).text == DESKTOP_WRAPPED
    assert uninstalled(change.text, "f", DESKTOP).text == DESKTOP


def test_our_name_on_anothers_server_is_a_conflict() -> None:
    text = json.dumps({"mcpServers": {OWN_NAME: {"command": "cat"}}})
    with pytest.raises(ConflictError, match=r"starts something else \('cat'\)"):
        install(text)


def test_options_reach_our_server_and_every_wrap() -> None:
    text = json.dumps({"mcpServers": {"t": {"command": "uvx"}}}, indent=1)
    change = install(text, wrap_all=True, options=("--store", "/s p"), typed=True)
    assert Document(change.text, "f").value["mcpServers"] == {
        "t": {
            "command": OURS,
            "args": ["wrap", "--name", "t", "--store", "/s p", "--", FOUND["uvx"]],
        },
        OWN_NAME: {"type": "stdio", "command": OURS, "args": ["serve", "--store", "/s p"]},
    }


def test_a_program_is_looked_for_on_the_path_that_the_server_gets() -> None:
    entry = {"command": "tool", "env": {"Path": "/special"}}
    change = install(json.dumps({"mcpServers": {"t": entry}}), wrap_all=True)
    args = Document(change.text, "f").value["mcpServers"]["t"]["args"]
    assert args == ["wrap", "--name", "t", "--", "/special/tool"]


def test_a_program_that_is_nowhere_stays_as_it_is_written() -> None:
    change = install('{"mcpServers": {"t": {"command": "nowhere", "args": ["a"]}}}', wrap_all=True)
    assert change.said[-1] == ("  nowhere is on no search path here: it stays as it is written")
    args = Document(change.text, "f").value["mcpServers"]["t"]["args"]
    assert args == ["wrap", "--name", "t", "--", "nowhere", "a"]


@pytest.mark.requirement("doors:shown:round-trips")
def test_windows_paths_survive() -> None:
    entry = {
        "command": "C:\\Program Files\\nodejs\\npx.cmd",
        "args": ["-y", "C:\\Users\\Jo Doe\\x"],
    }
    text = json.dumps({"mcpServers": {"n": entry}}, indent=2).replace("\n", "\r\n")
    launcher = ("C:\\Users\\Jo Doe\\Scripts\\contextframe-monitoring.exe",)
    change = installed(text, "f", Wanted(launcher=launcher, wrap_all=True), which)
    assert "\n" not in change.text.replace("\r\n", "")
    assert Document(change.text, "f").value["mcpServers"]["n"] == {
        "command": launcher[0],
        "args": ["wrap", "--name", "n", "--", entry["command"], *entry["args"]],
    }
    assert installed(change.text, "f", Wanted(launcher=launcher, wrap_all=True), which).text == (
        change.text
    )
    assert uninstalled(change.text, "f", text).text == text


def test_projects_are_wrapped_and_keep_their_name_in_what_is_said() -> None:
    text = json.dumps(
        {
            "numStartups": 3,
            "projects": {
                "/home/me/a": {"mcpServers": {"t": {"type": "stdio", "command": "uvx"}}},
                "/home/me/b": {"mcpServers": {}, "history": []},
                "/home/me/c": {"mcpServers": None},
            },
        },
        indent=2,
    )
    change = install(text, wrap_all=True, typed=True)
    assert change.said == ["adds contextframe-monitoring", "wraps t of /home/me/a"]
    assert [servers.path for servers in server_maps(Document(change.text, "f"))] == [
        ("mcpServers",),
        ("projects", "/home/me/a", "mcpServers"),
        ("projects", "/home/me/b", "mcpServers"),
    ]
    assert uninstalled(change.text, "f", text).text == text


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{}", '{\n  "mcpServers": {\n    "contextframe-monitoring": ENTRY\n  }\n}'),
        ('{"a": 1}', '{"a": 1, "mcpServers": {"contextframe-monitoring": ENTRY}}'),
        ('{"mcpServers": {}}', '{"mcpServers": {"contextframe-monitoring": ENTRY}}'),
        (
            '{\n\t"a": 1 // one\n}\n',
            '{\n\t"a": 1, // one\n'
            '\t"mcpServers": {\n\t\t"contextframe-monitoring": ENTRY\n\t}\n}\n',
        ),
        (
            '{\n "mcpServers": {}, // none yet\n}',
            '{\n "mcpServers": {\n  "contextframe-monitoring": ENTRY\n }, // none yet\n}',
        ),
        (
            '{\n "mcpServers": { // none yet\n }\n}',
            '{\n "mcpServers": {\n  "contextframe-monitoring": ENTRY // none yet\n }\n}',
        ),
    ],
)
def test_our_entry_looks_like_what_stands_around_it(text: str, becomes: str) -> None:
    change = install(text)
    entry = Document(change.text, "f").value["mcpServers"][OWN_NAME]
    assert entry == {"command": OURS, "args": ["serve"]}
    start = change.text.index(":", change.text.index(OWN_NAME)) + 2
    end = change.text.index("}", start) + 1
    assert change.text[:start] + "ENTRY" + change.text[end:] == becomes
    assert uninstalled(change.text, "f", text).text == text


@pytest.mark.parametrize("text", ["", " \n", "\ufeff"])
def test_an_empty_file_becomes_a_whole_one(text: str) -> None:
    change = install(text)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    assert change.text.startswith(mark + '{\n  "mcpServers": {\n')
    assert change.text.endswith("\n}\n")
    assert install(text, serves=False).text == text


@pytest.mark.parametrize("servers", ["null", "[]", '"x"', "3"])
def test_servers_that_are_no_object_are_an_error(servers: str) -> None:
    with pytest.raises(InvalidError, match=r"f, line 2 = .*expected an object under 'mcpServers'"):
        install(f'{{\n"mcpServers": {servers}}}')


@pytest.mark.parametrize("entry", [None, 3, [], {}, {"command": 3}, {"command": "x", "args": [1]}])
def test_an_entry_that_is_none_is_left(entry: object) -> None:
    text = json.dumps({"mcpServers": {"odd": entry}})
    change = install(text, wrap_all=True, names=frozenset({"odd"}))
    assert Document(change.text, "f").value["mcpServers"]["odd"] == entry
    assert "leaves odd: its command and args are not texts" in change.said


CONFIGURATIONS = st.builds(
    lambda rest, servers, where: {**rest, **servers, **where},
    st.dictionaries(
        KEYS.filter(lambda key: key not in {"mcpServers", "projects"}), VALUES, max_size=2
    ),
    st.fixed_dictionaries({"mcpServers": st.dictionaries(KEYS, ENTRIES, max_size=3)}),
    st.fixed_dictionaries(
        {},
        optional={
            "projects": st.dictionaries(
                KEYS,
                st.fixed_dictionaries({"mcpServers": st.dictionaries(KEYS, ENTRIES, max_size=2)}),
                max_size=2,
            )
        },
    ),
)


@settings(deadline=None)
@given(found=documents(CONFIGURATIONS), name=KEYS, wrap_all=st.booleans())
@pytest.mark.requirement("doors:install:idempotent", "doors:install:restores")
def test_any_configuration_comes_back_and_twice_is_once(
    found: tuple[str, dict[str, Any]], name: str, wrap_all: bool
) -> None:
    text, value = found
    change = install(text, wrap_all=wrap_all, names=frozenset({name}))
    assert install(change.text, wrap_all=wrap_all, names=frozenset({name})).text == change.text
    after = Document(change.text, "f")
    for servers in server_maps(after):
        for key, member in servers.members.items():
            kind = read_entry(member.value).kind
            meant = wrap_all or key == name
            assert kind in {"wrapped", "own", "remote", "unclear"} or not meant
    assert Document(uninstalled(change.text, "f", text).text, "f").value == value
    rest = {
        key: inner for key, inner in after.value.items() if key not in {"mcpServers", "projects"}
    }
    assert rest == {k: v for k, v in value.items() if k not in {"mcpServers", "projects"}}
