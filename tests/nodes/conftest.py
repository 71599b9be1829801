import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.nodes.cluster import Cluster
from tests.postgres import database_url, schema_of_its_own


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """RUNFOLD_CRASH_SEED asks for the requests and the kills of an earlier time; when they come is chance."""
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    with schema_of_its_own() as schema:
        cluster = Cluster(tmp_path, database_url(), schema, seed=seed, nodes=3)
        try:
            yield cluster
        finally:
            await cluster.close()
