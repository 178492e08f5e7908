"""What a path is for, without the ids in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.privacy import NAME_CHARS_MAX
from contextframe_monitoring.logs.routes import METHODS, OTHER_METHOD, method_of, path_shape


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("", "/"),
        ("/v1/messages", "/v1/messages"),
        ("/orders/7/items/0", "/orders/{id}/items/{id}"),
        ("/users/9f1c0a6e-1111-4222-8333-444455556666", "/users/{id}"),
        ("/u/me@example.org", "/u/{id}"),
        ("/keys/abcDEF123456", "/keys/{id}"),
        ("/chat/completions?key=1", "/chat/completions"),
        ("/" + "x" * 40, "/{id}"),
        ("/a/b/c/d/e/f/g/h/i", "/a/b/c/d/e/f/g/h/..."),
    ],
)
def test_a_segment_that_looks_like_an_id_is_none_in_the_shape(path: str, shape: str) -> None:
    assert path_shape(path) == shape


@given(st.text())
def test_every_shape_is_bounded_and_printable(path: str) -> None:
    shape = path_shape(path)
    assert len(shape) <= NAME_CHARS_MAX
    assert shape.isprintable()
    assert path_shape(shape) == shape or "..." in shape


@given(st.none() | st.text() | st.integers())
def test_methods_are_a_closed_set(method: object) -> None:
    assert method_of(method) in METHODS | {OTHER_METHOD}
