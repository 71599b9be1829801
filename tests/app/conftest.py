from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from tests.app.harness import Engine, Log, ledger_mistakes, running_engine


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    """What the engine logs while a test runs."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def engine(log: Log) -> AsyncIterator[Engine]:
    """An engine that has nothing to complain of; tests that break it start their own."""
    async with running_engine() as running:
        yield running
        assert await ledger_mistakes(running) == []
    assert [entry for entry in log if entry["log_level"] == "error"] == []
