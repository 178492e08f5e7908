"""What all reports share: fields, how they are cut short, and how they become JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from contextframe_monitoring.core.windows import Period as PeriodName

Money = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""Dollars. `model_dump(mode="json")` gives the float that is written with the same digits below
8.3 million dollars; `json_text` writes the decimal itself, whatever its size."""


def _is_empty(value: object) -> bool:
    return value is None or value in ((), {})


def sometimes(default: Any = None) -> Any:
    """Return a field that is left out of the JSON when it is empty."""
    return Field(default=default, exclude_if=_is_empty)


def _untitled(schema: dict[str, Any]) -> None:
    """Keep generated titles and defaults out of schemas: an agent pays for every word."""
    schema.pop("title", None)
    schema.pop("description", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)
        part.pop("default", None)


class Part(BaseModel):
    """What all parts of reports share: frozen, closed, small schemas."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_untitled)


class Period(Part):
    """The window that a report covers. `name` is the calendar word that was asked for."""

    start: str
    end: str
    timezone: str
    name: PeriodName | None = sometimes()


class Resolution(Part):
    """Where the numbers come from. `quantile_error` is the largest relative error of percentiles;
    `raw_since` is how far back raw rows reach, None when there are none.
    """

    source: Literal["raw", "rollup", "both"] = "raw"
    exact: bool = True
    quantile_error: float = 0.0
    raw_since: str | None = None


class BreakdownRow(Part):
    """A row of a breakdown. `keys` holds the parts of the category when there are several."""

    category: str
    keys: dict[str, str] | None = sometimes()


class TrendPoint(Part):
    """One bucket of a trend, named by its start."""

    date: str
    count: int


class Report(Part):
    """A report: a period, totals, a page of a breakdown, and sections.

    `more` is the number of rows after this page of the breakdown, `omitted` names sections that
    were left out to keep the answer short. Subclasses declare all fields, in the order in which
    they are read.
    """

    SECTIONS: ClassVar[tuple[str, ...]] = ()
    """The sections that can be left out, the least important first."""

    if TYPE_CHECKING:
        breakdown: tuple[Any, ...]
        more: int
        omitted: tuple[str, ...]

    def trimmed(self, rows_max: int) -> Self:
        """Return the report with at most `rows_max` rows in its breakdown, the rest in `more`."""
        kept = self.breakdown[: max(rows_max, 0)]
        cut = len(self.breakdown) - len(kept)
        return self.model_copy(update={"breakdown": kept, "more": self.more + cut})

    def without(self, *sections: str) -> Self:
        """Return the report without these sections, which are named in `omitted`."""
        present = [s for s in sections if s in self.SECTIONS and not _is_empty(getattr(self, s))]
        empty = {s: type(self).model_fields[s].get_default() for s in present}
        return self.model_copy(update={**empty, "omitted": (*self.omitted, *present)})

    def json_text(self, *, indent: int = 0) -> str:
        """Return the report as JSON text, money written from the exact decimals."""
        data = msgspec.json.encode(_exact(self.model_dump()))
        return (msgspec.json.format(data, indent=indent) if indent else data).decode()

    @classmethod
    def outline_schema(cls) -> dict[str, Any]:
        """Return a JSON schema of the report one level deep: a third of the words of the whole."""
        whole = cls.model_json_schema(mode="serialization")
        properties = {name: _outline(part) for name, part in whole["properties"].items()}
        return {"type": "object", "properties": properties, "required": whole["required"]}


def _outline(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"type": "object"}
    if "anyOf" in schema:
        return {"type": [_outline(option)["type"] for option in schema["anyOf"]]}
    return {"type": schema["type"]}


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode())
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    return value
