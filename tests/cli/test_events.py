"""`runfold events`, against a real engine."""

import pytest

from tests.cli.commandline import CommandLine


def test_an_event_is_sent_shown_and_canceled(command: CommandLine) -> None:
    job = command.json("jobs", "add", "Listen", "http://127.0.0.1:9/", "--event", "user.created", "--draft")
    filtered = ("--event", "user.created", "--event-filter", '{"plan": ["pro"]}')
    active = command.json("jobs", "add", "Listen too", "http://127.0.0.1:9/", *filtered)
    sent = command.json("events", "send", "user.created", "--payload", '{"plan": "pro"}', "--id", "u1")
    again = command.json("events", "send", "user.created", "--id", "u1")
    shown = command.run("events", "show", "u1").splitlines()
    run = command.run("runs", "show", sent["runs"][0]["id"])
    later = command.json("events", "send", "user.created", "--delay", "1h", "--context", '{"a": 1}')
    canceled = command.run("events", "cancel", later["id"]).splitlines()
    listed = command.json("events", "list", "--name", "user.created", "--from", "2020-01-01")
    undelivered = command.run("events", "list", "--undelivered")

    assert (job["event"], active["event"]["filter"]) == (
        {"name": "user.created", "filter": {}},
        {"plan": ["pro"]},
    )
    assert (sent["status"], again["payload"], len(again["runs"])) == ("DELIVERED", {"plan": "pro"}, 1)
    assert shown[:3] == ["event      u1", "name       user.created", "status     DELIVERED"]
    assert shown[-2].split()[:2] == ["run", "task"]
    assert shown[-1].split()[:2] == [sent["runs"][0]["id"], "runfold/http"]
    assert ["event", "user.created", "(u1)"] in [line.split() for line in run.splitlines()]
    assert (later["status"], later["context"], later["runs"]) == ("PENDING", {"a": 1}, [])
    assert "status    CANCELED" in canceled
    assert [each["id"] for each in listed][:2] == [later["id"], "u1"]
    assert later["id"] not in undelivered


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("events", "show", "none"), 1, "Event none not found."),
        (("events", "send", "a", "--payload", "yes"), 2, "--payload is no JSON"),
        (("events", "send", "a", "--context", "[1]"), 2, "--context is no JSON object"),
        (("events", "send", "a", "--delay", "soon"), 2, "--delay"),
        (("jobs", "add", "a", "http://x", "--event", "a", "--webhook"), 2, "One thing starts a job: say one of"),
        (("jobs", "add", "a", "http://x", "--event-filter", "{}"), 2, "--event-filter needs --event"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = command.ask(*arguments, code=code)

    assert said.stdout == ""
    assert sentence in " ".join(said.stderr.replace("│", " ").split())
