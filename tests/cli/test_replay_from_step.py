"""`runfold runs replay --from-step`, by real workers: what stood before the step is not done again."""

from collections.abc import Iterator

import pytest

from tests.cli.commandline import CommandLine
from tests.cli.installation import Installation, Project, developing

JOBS = """
from pathlib import Path

from runfold import Context, SyncContext, task

def note(word: str, *arguments: object) -> str:
    with Path("done.txt").open("a") as done:
        print(word, *arguments, file=done)
    return f"{word} done"


@task
async def order(amount: int, ctx: Context) -> list[str]:
    receipt = await ctx.step("charge", note, "charge", amount)
    boxes = [await ctx.step("pack", note, "pack", amount, n) for n in range(2)]
    return [receipt, *boxes, await ctx.step("ship", note, "ship", receipt)]


@task
def order_sync(amount: int, ctx: SyncContext) -> list[str]:
    receipt = ctx.step("charge", note, "charge", amount)
    boxes = [ctx.step("pack", note, "pack", amount, n) for n in range(2)]
    return [receipt, *boxes, ctx.step("ship", note, "ship", receipt)]
"""


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs.py").write_text(JOBS)
    with developing(installation, folder, "jobs.py") as project:
        yield project


def done(project: Project) -> list[str]:
    """What was really done since this was last asked."""
    file = project.folder / "done.txt"
    lines = file.read_text().splitlines()
    file.write_text("")
    return lines


@pytest.mark.parametrize("task", ["order", "order_sync"])
def test_what_stood_before_the_step_is_not_done_again(command: CommandLine, project: Project, task: str) -> None:
    run = command.json("runs", "trigger", task, "5", "--wait")
    before = done(project)

    again = command.json("runs", "replay", run["id"], "--from-step", "ship", "--wait")
    after = done(project)
    second = command.json("runs", "replay", again["id"], "--from-step", "pack#2", "--wait")

    assert before == ["charge 5", "pack 5 0", "pack 5 1", "ship charge done"]
    assert after == ["ship charge done"]
    assert done(project) == ["pack 5 1", "ship charge done"]
    assert run["output"] == again["output"] == second["output"]
    assert again["takenOver"] == {"runId": run["id"], "entries": 3, "edited": []}


@pytest.mark.parametrize("task", ["order", "order_sync"])
def test_it_works_with_another_payload_and_with_other_results(
    command: CommandLine, project: Project, task: str
) -> None:
    run = command.json("runs", "trigger", task, "5", "--wait")["id"]
    done(project)
    otherwise = ("--payload", "6", "--step-result", 'charge="cash"', "--step-result", 'pack#2="a bag"')

    again = command.json("runs", "replay", run, "--from-step", "ship", *otherwise, "--wait")

    assert again["output"] == ["cash", "pack done", "a bag", "ship done"]
    assert done(project) == ["ship cash"]
    assert "taken over  3 entries of its journal, 2 of them with another result\n" in command.run(
        "runs", "show", again["id"]
    )


def test_a_step_that_is_not_there_is_told(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "order", "5", "--wait")["id"]

    refused = command.ask("runs", "replay", run, "--from-step", "bill", code=1).stderr
    malformed = command.ask("runs", "replay", run, "--from-step", "ship", "--step-result", "charge", code=2).stderr

    assert f"There is no 'bill' in the journal of run {run}: it has charge, pack, pack#2, ship." in refused
    assert "--step-result is a step, = and JSON" in malformed
