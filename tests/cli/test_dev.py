"""`runfold dev`: an engine that stays, a worker that follows the code, and nothing left behind."""

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

import runfold
from adapters.sqlite.ledger import SqliteLedger
from domain.errors import LedgerUnavailable
from domain.events import WriterStarted
from runfold import runs, tasks
from tests.cli.installation import Installation, Project, developing, wait_until

TASKS = """
import os

from app import {name}
from runfold import task


@task
async def where() -> list[object]:
    return [{name}, os.getpid()]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's project, with a package named like one of the engine's rooms."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("old, new = 'old', 'new'")
    (tmp_path / "jobs.py").write_text(TASKS.format(name="old"))
    return tmp_path


def test_changed_code_gets_a_new_worker_and_the_engine_stays(installation: Installation, folder: Path) -> None:
    with developing(installation, folder, "jobs.py") as project:
        name, first_worker = where(project)

        assert name == "old"

        (folder / "jobs.py").write_text(TASKS.format(name="new"))
        project.process.said("jobs.py changed: a new worker takes over.")
        wait_until(lambda: where(project)[0] == "new", project.process.stderr.read_text)
        _, second_worker = where(project)

        assert second_worker != first_worker
        assert project.process.end(signal.SIGINT) == 0

    assert starts_of_an_engine(folder) == 1
    assert not any(map(is_alive, (first_worker, second_worker)))


def test_a_worker_that_cannot_start_is_waited_for(installation: Installation, folder: Path) -> None:
    (folder / "jobs.py").write_text("this is no Python")
    with developing(installation, folder, "jobs") as project:
        project.process.said("SyntaxError")
        project.process.said("The worker ended with code 1; it starts again when a file changes.")

        (folder / "jobs.py").write_text(TASKS.format(name="new"))

        assert where(project)[0] == "new"
        assert project.process.end(signal.SIGTERM) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
def test_even_when_it_is_killed_nothing_is_left_running(installation: Installation, folder: Path) -> None:
    with developing(installation, folder, "jobs.py") as project:
        _, worker = where(project)
        project.process.end(signal.SIGKILL)

    wait_until(lambda: not is_alive(worker), lambda: f"{worker} is gone")
    wait_until(lambda: not is_locked(folder), lambda: "the ledger is free")


def test_the_key_is_made_once_and_only_its_owner_may_read_it(installation: Installation, folder: Path) -> None:
    keys: list[str] = []
    for _ in range(2):
        with developing(installation, folder, "jobs.py") as project:
            keys.append(project.started["secretKey"])
    file = folder / ".runfold" / "secret-key"

    assert keys == [file.read_text().strip()] * 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(keys[0].removeprefix("tr_dev_")) == 32
    assert (folder / ".runfold" / ".gitignore").read_text() == "*\n"


def test_people_are_told_where_it_is_and_how_to_go_on(installation: Installation, folder: Path) -> None:
    key = "tr_dev_of_the_environment"
    with installation.start("dev", "jobs.py", "--port", "0", cwd=folder, RUNFOLD_SECRET_KEY=key) as process:
        greeting = [process.line().strip() for _ in range(12)]

    assert greeting[0] == "Runfold runs your tasks."
    address = greeting[2].removeprefix("engine    ").partition(" ")[0]
    assert address.startswith("http://127.0.0.1:")
    assert greeting[1] == f"dashboard {address}/sign-in#{key}"
    assert greeting[3:5] == [f"key       {key}", "ledger    .runfold/ledger.db"]
    assert greeting[8] == f"export RUNFOLD_API_URL={address}"
    assert greeting[9] == f"export RUNFOLD_SECRET_KEY={key}", "it is not in the folder"
    assert greeting[10] == "runfold runs trigger TASK PAYLOAD --wait"
    assert not (folder / ".runfold" / "secret-key").exists()


def test_a_second_one_in_the_same_folder_is_refused(installation: Installation, folder: Path) -> None:
    with developing(installation, folder, "jobs.py"):
        second = installation.run("dev", "jobs.py", "--port", "0", cwd=folder, code=1)

    assert second.stdout == ""
    assert second.stderr.splitlines() == [
        "Another engine is running on this database (.runfold/ledger.db.lock is locked).",
        "The engine ended with code 1; what it said above tells why.",
    ]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("none.py", "There is no file none.py."), ("no.such.module", "There is no module 'no.such.module'")],
)
def test_a_target_that_is_not_there_is_a_wrong_command(
    installation: Installation, tmp_path: Path, target: str, sentence: str
) -> None:
    done = installation.run("dev", target, cwd=tmp_path, code=2)

    assert sentence in done.stderr
    assert not list(tmp_path.iterdir())


def where(project: Project) -> tuple[str, int]:
    """What the code of the worker says, and the worker's process."""
    runfold.configure(api_url=project.started["url"], secret_key=project.started["secretKey"])
    try:
        run = runs.poll(tasks.trigger("where"), interval=0.05)
    finally:
        runfold.configure()
    assert run.output, run
    return run.output[0], run.output[1]


def starts_of_an_engine(folder: Path) -> int:
    """Opening the ledger to write also proves that no engine holds it any more."""
    with closing(SqliteLedger(folder / ".runfold" / "ledger.db")) as ledger:
        return sum(isinstance(each.event, WriterStarted) for each in ledger.read_after(0, limit=1_000))


def is_locked(folder: Path) -> bool:
    try:
        SqliteLedger(folder / ".runfold" / "ledger.db").close()
    except LedgerUnavailable:
        return True
    return False


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        # An orphan that has ended stays a zombie where nobody collects it, as in a container without an init.
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # there is no /proc
        return sys.platform != "linux"
