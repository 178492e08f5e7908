"""What the middleware saw of one HTTP request: so that the layer around it records the rest."""

from __future__ import annotations

from contextframe_monitoring.mcp.adapter import Context

SCOPE_KEY = "contextframe_monitoring.sightings"
"""Where a request's ASGI scope holds its sightings."""


class Sightings:
    """The messages of one HTTP request that the middleware was given.

    More than one: to check a header the SDK lists the tools on its own account.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._methods: set[str] = set()
        self.latest: Context | None = None
        """The last message seen."""

    def see(self, ctx: Context) -> None:
        """Take note of a message that the middleware handles."""
        self._methods.add(ctx.method)
        self.latest = ctx

    def saw(self, method: str) -> bool:
        """Return whether a message of this method was handled."""
        return method in self._methods


def seen(ctx: Context) -> None:
    """Take note of a message that came by streamable HTTP, where a layer asks for it."""
    scope = getattr(ctx.request, "scope", None)
    sightings = scope.get(SCOPE_KEY) if scope else None
    if isinstance(sightings, Sightings):
        sightings.see(ctx)
