"""What all tests share: one anyio backend."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
