import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.databases import Database, postgres_in, sqlite_in
from tests.crash.scenario import KEY, LEASE_MS, Scenario
from tests.postgres import database_url, schema_of_its_own


@pytest.fixture
def lease_ms() -> int:
    return LEASE_MS


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Database]]:
    """Makes one in a folder, or a schema."""
    if request.param == "sqlite":
        yield sqlite_in
        return
    with ExitStack() as stack:
        yield lambda _: postgres_in(database_url(), stack.enter_context(schema_of_its_own()))


@pytest.fixture
async def scenario(tmp_path: Path, lease_ms: int, key: str) -> AsyncIterator[Scenario]:
    """RUNFOLD_CRASH_SEED asks for the requests and the kills of an earlier time; when they come is chance."""
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    scenario = Scenario(tmp_path, seed=seed, lease_ms=lease_ms, key=key)
    try:
        yield scenario
    finally:
        await scenario.close()
