"""Claude Desktop: one file in the application's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TypeVar

from contextframe_monitoring.cli.clients.place import Place

FILE = "claude_desktop_config.json"
TITLE = "Claude Desktop"
RESTART = "restart Claude Desktop to use it"
_PACKAGE = "Claude_*"
"""Since 2026 the Windows application is a package (MSIX) with files of its own: what it calls
%APPDATA% lies below %LOCALAPPDATA%, and which of the two it reads has changed between versions."""
_P = TypeVar("_P", bound=PurePath)


def folder(platform: str, environ: Mapping[str, str], home: _P) -> _P:
    """Return the application's folder."""
    kind = type(home)
    if platform == "darwin":
        return home / "Library" / "Application Support" / "Claude"
    if platform == "win32":
        roaming = environ.get("APPDATA")
        return (kind(roaming) if roaming else home / "AppData" / "Roaming") / "Claude"
    settings = environ.get("XDG_CONFIG_HOME")
    return (kind(settings) if settings else home / ".config") / "Claude"


def places(platform: str, environ: Mapping[str, str], home: Path, cwd: Path) -> list[Place]:
    """Return the file, and on Windows those of the packaged application too (`Places`)."""
    del cwd
    plain = folder(platform, environ, home)
    packaged = _packaged(environ, home) if platform == "win32" else []
    folders = [*packaged, plain] if not packaged or plain.is_dir() else packaged
    return [Place(file=found / FILE, folder=found) for found in folders]


def _packaged(environ: Mapping[str, str], home: Path) -> list[Path]:
    local = environ.get("LOCALAPPDATA")
    packages = (Path(local) if local else home / "AppData" / "Local") / "Packages"
    found = sorted(packages.glob(f"{_PACKAGE}/LocalCache/Roaming"))
    return [roaming / "Claude" for roaming in found]
