"""`runfold deploy` as a process, which talks HTTP to the fake engine."""

import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

from runfold.worker.registering import settings_of
from tests.sdk import jobs
from tests.sdk.fake_engine import FakeEngine
from tests.sdk.test_worker_command import JOBS, ROOT, serving

LAUNCH = "from runfold.engine import main; main()"


async def deploy(address: str, *arguments: str, key: str = "secret", folder: Path = ROOT) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    world = {**os.environ, "RUNFOLD_API_URL": address, "RUNFOLD_SECRET_KEY": key, "PYTHONPATH": str(ROOT)}
    process = await create_subprocess_exec(
        *(sys.executable, "-c", LAUNCH, "deploy", *arguments), cwd=folder, env=world, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_it_makes_the_tasks_the_current_version(engine: FakeEngine) -> None:
    async with serving(engine) as address:
        told = await deploy(address, JOBS)

    registration = engine.registrations[0]
    tasks = len(registration["tasks"])
    assert told == (0, f"{engine.version}\n", f"The version {engine.version} is current in dev. Tasks: {tasks}.\n")
    assert registration["promote"] is True
    assert settings_of(jobs.greet) in registration["tasks"]
    assert engine.turns == [], "it takes no runs"


async def test_it_can_leave_the_current_version(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "mail.py").write_text("from runfold import task\n\n@task\ndef send(to: str): ...\n")
    async with serving(engine) as address:
        told = await deploy(address, "mail", "--no-promote", folder=tmp_path)

    sentence = f"The version {engine.version} is there in dev, but not promoted. Tasks: 1.\n"
    assert told == (0, f"{engine.version}\n", sentence)
    assert engine.registrations[0]["promote"] is False


async def test_it_says_what_kept_it_from_deploying(engine: FakeEngine) -> None:
    async with serving(engine) as address:
        refused = await deploy(address, JOBS, key="wrong")
        absent = await deploy(address, "absent.py")

    assert refused == (1, "", "runfold deploy: 401: This key opens no environment.\n")
    assert absent == (1, "", "runfold deploy: There is no file absent.py.\n")
    assert engine.registrations == []
