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
    if host == "localhost":
        return host, int(text)
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        allowed = "expected a loopback address (127.0.0.1, ::1, localhost): others need keys"
        raise InvalidError(option, address, allowed)
    return host, int(text)
