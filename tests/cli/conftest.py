import logging
from collections.abc import Iterator

import pytest
import structlog

import runfold
from tests.cli.commandline import CommandLine
from tests.cli.installation import Installation, Project, developing

JOBS = """
import os

from runfold import AbortTaskRunError, Context, Retry, task


@task
async def add(numbers: list[int]) -> int:
    return sum(numbers)


@task
async def refuse(_: str) -> None:
    raise AbortTaskRunError("This is refused [red]\\x1b[31mby design.")


@task(retry=Retry(max_attempts=2, min_timeout_ms=1))
async def retried(_: str, ctx: Context) -> int:
    if ctx.attempt.number == 1:
        raise ValueError("The first attempt fails.")
    return os.getpid()
"""


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation.make(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs.py").write_text(JOBS)
    with developing(installation, folder, "jobs.py") as project:
        yield project


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that go on set it up for their process, which here is that of all tests."""
    root, configuration = logging.getLogger(), structlog.get_config()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.captureWarnings(capture=False)
    structlog.configure(**configuration)


@pytest.fixture
def command(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """`runfold` in the folder of the project, whose engine it finds."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("RUNFOLD_API_URL", project.started["url"])
    monkeypatch.delenv("RUNFOLD_SECRET_KEY", raising=False)
    yield CommandLine(monkeypatch, capsys)
    runfold.configure()
