"""Sizes are bytes of compact JSON, whatever comes; nothing raises."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from contextframe_monitoring.mcp.sizes import size_bytes_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


class Shape(BaseModel):
    """A model as a middleware may answer with."""

    edge_count: int = Field(serialization_alias="edgeCount")
    label: str | None = None


@given(JSON)
def test_a_size_is_that_of_compact_json(value: Any) -> None:
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    wanted = 0 if value is None else len(compact.encode("utf-8", "surrogatepass"))
    found = size_bytes_of(value)
    assert found is not None
    # \x7f and the like may be written in six bytes or in one
    assert abs(found - wanted) <= 6 * sum(not c.isprintable() for c in compact)


def test_what_is_no_plain_json_has_a_size_where_it_can_have_one() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert size_bytes_of(Shape(edge_count=3)) == len('{"edgeCount":3}')
    assert size_bytes_of({"a": "\ud800"}) == len('{"a":"\\ud800"}')
    assert size_bytes_of(object()) is None
    assert size_bytes_of(loop) is None
