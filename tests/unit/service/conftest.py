"""A hub among fakes for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.service.house import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    built = House()
    yield built
    await built.close()
