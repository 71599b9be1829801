"""The fixtures, and what pytest shows of the engine when a test fails."""

from collections.abc import Generator, Sequence
from types import ModuleType
from typing import cast

import pytest

from runfold.config import configured
from runfold.testing.clock import Clock
from runfold.testing.engine import Engine, Environment, running_engine
from runfold.testing.finding import Source
from runfold.testing.serving import Serve, serving
from runfold.testing.trail import Trail
from runfold.testing.worker import Worker

_TRAIL = pytest.StashKey[Trail]()


@pytest.fixture(scope="session")
def runfold_engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine]:
    """An engine on a temporary file, which all tests share."""
    with running_engine(tmp_path_factory.mktemp("runfold-engine")) as engine:
        yield engine


@pytest.fixture
def runfold_environment(runfold_engine: Engine, request: pytest.FixtureRequest) -> Generator[Environment]:
    """An environment that only this test has. `runfold` goes by it, and so do the programs that the test starts."""
    environment = runfold_engine.environment()
    request.node.stash[_TRAIL] = Trail(runfold_engine, environment)
    with configured(environment.settings), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNFOLD_API_URL", environment.settings.api_url)
        patch.setenv("RUNFOLD_SECRET_KEY", environment.settings.secret_key)
        yield environment
    # The next tests put forward the same clock, and nobody looks at what would run here then.
    runfold_engine.pause_schedules(environment)


@pytest.fixture
def runfold_clock(runfold_engine: Engine, runfold_environment: Environment) -> Clock:
    """The clock of the engine: `runfold_clock.advance("1h")`."""
    return Clock(runfold_engine, runfold_environment)


@pytest.fixture
def runfold_serve(runfold_engine: Engine, runfold_environment: Environment) -> Generator[Serve]:
    """Starts a worker: `runfold_serve(shop.jobs, send_letter)` for the tasks of a module and for one more."""
    with serving(runfold_engine, runfold_environment) as serve:
        yield serve


@pytest.fixture
def runfold_tasks(request: pytest.FixtureRequest) -> Sequence[Source]:
    """What `runfold_worker` serves: the tasks that the test's module defines or has imported. To be overridden."""
    return [cast("ModuleType", request.module)]  # pyright: ignore[reportUnknownMemberType] (pytest gives it no type)


@pytest.fixture
def runfold_worker(runfold_serve: Serve, runfold_tasks: Sequence[Source]) -> Worker:
    """A worker for the tasks of the test's module."""
    return runfold_serve(*runfold_tasks)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the engine knows when a test fails that uses it."""
    report = yield
    trail = item.stash.get(_TRAIL, None)
    if report.failed and trail is not None:
        report.sections += [(name, told) for name, told in trail.sections() if told]
    return report
