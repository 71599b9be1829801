from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from app.pages import looking
from tests.app.harness import Engine, Log, running_engine
from tests.dashboard.visitor import Visitor, visiting


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    """What the engine logs while a test runs."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists look all the way back, however slow the machine is."""
    monkeypatch.setattr(looking, "SECONDS", 600.0)


@pytest.fixture
async def engine(log: Log) -> AsyncIterator[Engine]:
    """An engine that has nothing to complain of."""
    async with running_engine() as running:
        yield running
    assert [entry for entry in log if entry["log_level"] == "error"] == []


@pytest.fixture
async def stranger(engine: Engine) -> AsyncIterator[Visitor]:
    """Somebody who has not signed in."""
    async with visiting(engine) as client:
        yield Visitor(client)


@pytest.fixture
async def visitor(stranger: Visitor) -> Visitor:
    """Somebody who has signed in."""
    await stranger.sign_in()
    return stranger
