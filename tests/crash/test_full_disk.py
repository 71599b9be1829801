"""A disk on which nothing can be written, and then it can be again."""

import resource
import sys
from collections.abc import Callable

import pytest

from tests.crash.scenario import Scenario

ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot limit another one")


def _nothing_fits(scenario: Scenario) -> Callable[[], None]:
    """SQLite finds that the disk is full."""
    scenario.fill_disk()
    return scenario.free_disk


def _nothing_is_written(scenario: Scenario) -> Callable[[], None]:
    """The operating system refuses the writes of the engine's process."""
    assert scenario.engine is not None
    engine = scenario.engine.pid
    before = resource.prlimit(engine, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def allow() -> None:
        resource.prlimit(engine, resource.RLIMIT_FSIZE, before)

    return allow


@pytest.mark.parametrize(
    ("fail", "sentence"),
    [
        (_nothing_fits, "database or disk is full"),
        pytest.param(_nothing_is_written, "disk I/O error", marks=ONLY_LINUX),
    ],
)
async def test_requests_are_turned_away_until_the_disk_takes_them_again(
    scenario: Scenario, fail: Callable[[Scenario], Callable[[], None]], sentence: str
) -> None:
    scenario.clients.begin()
    scenario.start_engine()
    scenario.start_worker()
    await scenario.until_answered(20)

    mend = fail(scenario)
    await scenario.until_engine_says("/readyz", lambda status, said: status == 503 and sentence in said["error"])
    await scenario.until(lambda: scenario.clients.turned_away > 3, lambda: "no client is turned away")
    mend()
    await scenario.until_ready()

    await scenario.finish()
