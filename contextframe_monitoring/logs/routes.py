"""What an HTTP request is for, without the ids of a single one: a route's template, else the shape
of its path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from contextframe_monitoring.core.privacy import bounded_name

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
OTHER_METHOD = "_OTHER"
"""What OpenTelemetry calls a method that is not known."""
NO_ROUTE = "(no route)"
SEGMENTS_MAX = 8
_SEGMENT_CHARS_MAX = 32
_ID = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{8,}|(?=(?:\D*\d){3}).{8,}|.*[@%:].*", re.DOTALL)


def method_of(method: object) -> str:
    """Return the method in capitals, `_OTHER` for one that is not known."""
    found = method.upper() if isinstance(method, str) and len(method) < 16 else OTHER_METHOD
    return found if found in METHODS else OTHER_METHOD


def route_of(scope: Mapping[str, Any], root_path: str, status_code: int | None) -> str:
    """Return the template of the route that took an ASGI request (`/orders/{order_id}`).

    `root_path` is the application's own, before routing. Starlette and FastAPI name the route in
    the scope; without one it is the shape of the path, or `(no route)` where the answer was 404.
    """
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str) and template:
        mounted = str(scope.get("root_path") or "").removeprefix(root_path)
        return bounded_name(mounted + template)
    return NO_ROUTE if status_code == 404 else path_shape(str(scope.get("path") or "/"))


def path_shape(path: str) -> str:
    """Return a path with `{id}` where a segment looks like one, at most `SEGMENTS_MAX` of them."""
    segments = path.split("?", 1)[0].strip("/").split("/")
    kept = [
        "{id}" if len(segment) > _SEGMENT_CHARS_MAX or _ID.fullmatch(segment) else segment
        for segment in segments[:SEGMENTS_MAX]
    ]
    more = ["..."] if len(segments) > SEGMENTS_MAX else []
    return bounded_name("/" + "/".join([*kept, *more]))
