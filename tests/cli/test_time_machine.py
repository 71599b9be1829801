"""`--as-of` and `runfold diff`: everything as it was, and what became different."""

import pytest

import runfold
from tests.cli.commandline import CommandLine


@pytest.fixture(autouse=True)
def _engine(command: CommandLine) -> None:
    """The SDK finds the engine as the command does, by the folder, and a worker has told of its tasks."""
    runfold.configure()
    command.run("runs", "trigger", "add", "[]", "--wait")


def _position_of(run: str) -> str:
    return str(runfold.runs.events(run)[-1]["position"])


def test_runs_queues_schedules_and_reasons_are_told_as_they_were(command: CommandLine) -> None:
    run = command.run("runs", "trigger", "add", "[1]", "--delay", "1h", "--queue", "late").strip()
    then = _position_of(run)
    command.run("queues", "pause", "late")
    command.run("runs", "cancel", run)

    assert "status         DELAYED\n" in command.run("runs", "show", run, "--as-of", then)
    assert command.json("runs", "list", "--queue", "late", "--as-of", then)[0]["status"] == "DELAYED"
    assert command.json("explain", run, "--as-of", then)["reason"] == "delay"
    queues = {each["name"]: each["paused"] for each in command.json("queues", "list", "--as-of", then)}
    assert queues["late"] is False
    assert command.run("schedules", "list", "--as-of", then) == "No schedules.\n"
    assert command.run("runs", "show", run, "--as-of", "1", code=1) == ""


def test_what_became_different_is_told_once(command: CommandLine) -> None:
    run = command.run("runs", "trigger", "add", "[1]", "--delay", "1h", "--queue", "other").strip()
    first = _position_of(run)
    command.run("queues", "override", "other", "3")
    command.run("runs", "cancel", run)
    last = _position_of(run)

    header, *lines = command.run("diff", "--from", first, "--to", last).splitlines()

    assert header.split() == ["position", "recorded", "id", "name", "before", "after", "by"]
    assert any(f"run    {run}" in line and "DELAYED" in line and "CANCELED" in line for line in lines)
    assert any("other" in line and "not there" in line for line in lines)
    assert len(lines) == 2
    assert command.run("diff", "--from", last, "--to", last) == "Nothing changed.\n"
    assert run in command.run("diff", "--from", first, "--json")
