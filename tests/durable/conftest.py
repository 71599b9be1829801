from collections.abc import AsyncIterator

import pytest

from runfold import transport
from tests.durable.stage import Stage, open_stage


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with open_stage(lambda way: monkeypatch.setattr(transport, "default", way)) as stage:
        yield stage
