from collections.abc import AsyncIterator

import pytest

from tests.app.harness import Engine, running_engine


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with running_engine() as running:
        yield running
