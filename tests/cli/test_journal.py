"""`runfold runs show` and `runfold runs events` of a run whose code has steps and waits."""

from typing import Any

import msgspec
import pytest

import runfold
from runfold import transport
from runfold.blocking import blocking
from tests.cli.commandline import CommandLine

HOUR_MS = 3_600_000


def call(method: str, path: str, body: Any) -> Any:
    content = blocking(transport.default.call)(method, path, body=msgspec.json.encode(body))
    return msgspec.json.decode(content)


@pytest.fixture
def run(command: CommandLine) -> str:
    """A run that charged, failed to mail twice, triggered another one, and waits for that one and for a time."""
    command.run("runs", "list")  # whoever asks next asks the same engine
    version = call("POST", "/worker/v1/register", {"tasks": [{"id": "by-hand"}], "promote": False})["version"]
    waiting = runfold.tasks.trigger("by-hand", version=version)
    other = command.run("runs", "trigger", "add", "[]", "--delay", "1h").strip()
    turn = {"session": f"worker_{waiting.id[4:]}", "version": version, "sequence": 1, "want": 1}
    (handed,) = call("POST", "/worker/v1/turn", turn)["runs"]
    now = handed["createdAt"]
    error = {"name": "SmtpError", "message": "full"}
    said: list[dict[str, Any]] = [
        {"kind": "started"},
        {"kind": "step_succeeded", "entry": {"index": 0, "name": "charge"}, "output": {"paid": 7}},
        {
            "kind": "step_tried",
            "entry": {"index": 1, "name": "mail", "after": 0},
            "error": error,
            "until": now + HOUR_MS,
        },
        {"kind": "step_failed", "entry": {"index": 2, "name": "mail", "after": 0}, "error": error},
        {"kind": "triggered", "entry": {"index": 3, "name": "ship", "after": 2}, "runs": [other]},
        {"kind": "waiting", "entry": {"index": 4, "name": "wait", "after": 3}, "targets": [other]},
        {"kind": "waiting", "entry": {"index": 5, "name": "wait", "number": 2}, "until": now + HOUR_MS},
        {"kind": "waiting", "entry": {"index": 6, "name": "wait", "number": 3}, "targets": [other, "run_0"]},
        {"kind": "blocked", "waits": [1, 4, 5]},
    ]
    reports = [{"run": handed["id"], "token": handed["token"], "at": now} | each for each in said]
    answer = call("POST", "/worker/v1/turn", turn | {"sequence": 2, "received": 1, "want": 0, "reports": reports})
    assert (handed["id"], answer["refused"]) == (waiting.id, [])
    return waiting.id


def test_what_the_code_of_a_run_did_is_shown_below_it(command: CommandLine, run: str) -> None:
    shown = command.run("runs", "show", run)
    other = command.json("runs", "show", run)["journal"][3]["runs"][0]

    head, _, table = shown.partition("entry  name ")
    assert "status   WAITING\n" in head
    lines = [" ".join(line.split()[:4]) for line in table.splitlines()[1:]]
    assert lines == [
        "0 charge 1 COMPLETED",
        "1 mail 1 FAILED",
        "2 mail 1 FAILED",
        "3 ship 1 TRIGGERED",
        "4 wait 1 WAITING",
        "5 wait #2 1",
        "6 wait #3 1",
    ]
    told = [line.split(maxsplit=5)[-1] for line in table.splitlines()[1:5]]
    assert told[0] == '{"paid":7}'
    assert told[1].startswith("SmtpError: full (tried again at 2")
    assert told[2:] == ["SmtpError: full", other]
    assert f"for {other}\n" in table
    assert "  until 2" in table
    assert f"for all of {other} run_0 (unknown: run_0)\n" in table


def test_the_events_of_a_run_tell_of_its_steps_and_waits(command: CommandLine, run: str) -> None:
    types = [event["type"] for event in command.json("runs", "events", run)]

    assert types[3:] == [
        *(
            "StepSucceeded",
            "StepTryFailed",
            "StepFailed",
            "ChildrenTriggered",
            "WaitStarted",
            "WaitStarted",
            "WaitStarted",
        ),
        *("WaitCompleted", "RunBlocked"),
    ]
