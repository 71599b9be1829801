"""The worker dies by kill -9 around what it tells and hears, life after life."""

import pytest

from tests.crash.scenario import Scenario
from tests.crash.worker_process import PLACES


@pytest.mark.parametrize("count", [1, 4])
async def test_runs_of_a_worker_that_dies_are_finished_by_another(scenario: Scenario, count: int) -> None:
    scenario.start_engine()
    scenario.clients.begin(1)
    for place in PLACES:
        scenario.start_worker(place, count)
        await scenario.worker_is_killed()
    await scenario.kill_engine()
    scenario.start_engine()
    scenario.start_worker()

    await scenario.finish()
