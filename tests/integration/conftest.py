"""What tests on real sockets share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import shop


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An API server of our own with the Service `cart` in the namespace `shop`."""
    made = FakeApiServer()
    await made.start()
    shop(made)
    yield made
    await made.stop()
