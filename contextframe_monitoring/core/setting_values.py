"""The check of settings against their types, and what a refused one is told."""

from __future__ import annotations

import typing
from typing import Any, Literal

import msgspec

from contextframe_monitoring.core.errors import InvalidError


def allowed(error: msgspec.ValidationError, kind: Any) -> str:
    """Return in words what a value of this type may be."""
    inner = (typing.get_args(kind) or (kind,))[0] if typing.get_origin(kind) is list else kind
    if typing.get_origin(inner) is Literal:
        return f"expected one of {', '.join(typing.get_args(inner))}"
    return str(error).split(" - at ")[0].replace("`", "").lower()


def check_values(settings: msgspec.Struct, types: dict[str, Any], section: str = "") -> None:
    """Check every value of a table of settings, however it was made. Raises `InvalidError`."""
    for key, kind in types.items():
        value = getattr(settings, key)
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            name = f"{section}.{key}" if section else key
            raise InvalidError(name, value, allowed(error, kind)) from None
