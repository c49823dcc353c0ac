"""A hub among fakes for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.service.harness import Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    built = Harness()
    yield built
    await built.close()
