"""Addresses to listen at: loopback only, because nobody is asked for a key there."""

from __future__ import annotations

import ipaddress

from contextframe_monitoring.core.errors import InvalidError


def loopback_address(address: str, option: str = "--http") -> tuple[str, int]:
    """Return host and port of `HOST:PORT`. Raises `InvalidError`, which names the option."""
    host, separator, text = address.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not text.isdecimal() or not 0 < int(text) < 65_536:
        raise InvalidError(option, address, "expected HOST:PORT, for example 127.0.0.1:8765")
    if not is_loopback(host):
        allowed = "expected a loopback address (127.0.0.1, ::1, localhost): others need keys"
        raise InvalidError(option, address, allowed)
    return host, int(text)


def is_loopback(host: str | None) -> bool:
    """Return whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
