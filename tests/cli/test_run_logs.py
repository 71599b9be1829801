"""`runfold runs logs`, and notes that runs keep on themselves, by real workers."""

import re
from collections.abc import Iterator

import pytest

from tests.cli.commandline import CommandLine
from tests.cli.installation import Installation, Project, developing

JOBS = """
from runfold import Context, SyncContext, task


@task
async def copy(count: int, ctx: Context) -> None:
    for number in range(count):
        ctx.log.info("Copied.", number=number)
        await ctx.metadata.increment("copied")
    ctx.log.error("No room is left.")


@task
def copy_sync(count: int, ctx: SyncContext) -> None:
    for number in range(count):
        ctx.log.info("Copied.", number=number)
        ctx.metadata.increment("copied")
    ctx.log.error("No room is left.")


@task
async def copy_by_children(count: int, ctx: Context) -> None:
    await copy_for_parent.aio.batch_trigger_and_wait([None] * count)


@task
async def copy_for_parent(_: None, ctx: Context) -> None:
    await ctx.metadata.parent.increment("copied")
    await ctx.metadata.root.append("by", ctx.run.depth)
"""


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs.py").write_text(JOBS)
    with developing(installation, folder, "jobs.py") as project:
        yield project


@pytest.mark.parametrize("task", ["copy", "copy_sync"])
def test_what_the_code_logged_is_shown(command: CommandLine, task: str) -> None:
    run = command.json("runs", "trigger", task, "25", "--wait")

    lines = command.json("runs", "logs", run["id"])
    errors = command.run("runs", "logs", run["id"], "--level", "error", "--after", "3").splitlines()
    shown = command.run("runs", "show", run["id"])

    assert [(each["index"], each["message"], each["attributes"]) for each in lines] == [
        *((number, "Copied.", {"number": number}) for number in range(25)),
        (25, "No room is left.", {}),
    ]
    assert len(errors) == 2
    assert errors[1].split()[0] == "25"
    assert errors[1].endswith("error  No room is left.")
    assert f"The last 20 of 26 lines; all: runfold runs logs {run['id']}\n" in shown
    assert shown.splitlines()[-2].endswith("info   Copied.           number=24")
    assert run["metadata"] == {"copied": 25}
    assert re.search(r'^metadata +\{"copied":25\}$', shown, flags=re.MULTILINE)


def test_a_run_that_logged_nothing_says_so(command: CommandLine) -> None:
    run = command.run("runs", "trigger", "copy", "1", "--delay", "1h").strip()

    assert command.run("runs", "logs", run) == "No lines.\n"
    assert command.json("runs", "logs", run) == []
    assert "logged" not in command.run("runs", "show", run)
    assert (
        "--level is one of debug, info, warning, error, not 'loud'."
        in command.ask("runs", "logs", run, "--level", "loud", code=2).stderr
    )


def test_children_change_the_metadata_of_their_parent(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "copy_by_children", "3", "--wait")

    assert run["metadata"] == {"copied": 3, "by": [1, 1, 1]}
