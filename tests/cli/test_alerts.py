"""`runfold alerts`, against a real engine."""

import pytest

from tests.cli.commandline import CommandLine

URL = "https://example.com/told"


def test_channels_are_added_listed_and_removed(command: CommandLine) -> None:
    assert command.run("alerts", "list") == "No alert channels.\n"
    added = command.run("alerts", "add", "ops", "--url", URL, "--secret", "signing", "--task", "send-email", "--once")
    rest = ("--job", "job_1", "--digest", "5m", "--certificate-days", "30")
    mail = command.json(
        "alerts", "add", "mail", "--email", "ada@example.com", "--on", "failure", "--on", "success", *rest
    )
    webhook = added.split()[0]

    missing = "There is no secret signing in this environment: save it with PUT /v1/secrets/signing.\n"
    assert added == f"{webhook} tells {URL} of failure, recovery, auto_pause, certificate\n{missing}"
    assert command.run("alerts", "list").splitlines()[-1].endswith(missing.strip())
    assert (mail["to"], mail["on"], mail["jobs"], mail["repeat"]) == (
        ["ada@example.com"],
        ["failure", "success"],
        ["job_1"],
        True,
    )
    assert (mail["digest"], mail["certificate_days"]) == ("5m", 30)
    found = {each["id"]: each for each in command.json("alerts", "list")}
    assert found[mail["id"]] == mail
    kept = found[webhook]
    assert (kept["secret"], kept["tasks"], kept["repeat"]) == ("signing", ["send-email"], False)
    assert [line.split()[0] for line in command.run("alerts", "list").splitlines()[:1]] == ["channel"]
    assert command.run("alerts", "remove", webhook) == f"{webhook} is removed\n"
    assert command.run("alerts", "remove", mail["id"]) == f"{mail['id']} is removed\n"
    assert command.run("alerts", "list") == "No alert channels.\n"


def test_a_channel_is_named_by_its_name_if_no_other_one_has_it(command: CommandLine) -> None:
    command.run("alerts", "add", "ops", "--url", URL)
    first, second = (command.json("alerts", "add", "night", "--email", "ada@example.com")["id"] for _ in range(2))

    told = command.run("alerts", "test", "ops")
    unclear = command.ask("alerts", "remove", "night", code=2)
    unknown = command.ask("alerts", "remove", "day", code=1)

    assert told.startswith("A test message is under way: runfold runs show run_")
    said = " ".join(unclear.stderr.replace("│", " ").split())
    assert f"There are 2 called night; say which by its id: {second}, {first}." in said
    assert unknown.stderr == "Alert channel day not found.\n"
    for each in ("ops", first, second):
        assert command.run("alerts", "remove", each) == f"{each} is removed\n"


def test_who_is_told_must_be_said_once(command: CommandLine) -> None:
    for given in ((), ("--url", URL, "--email", "ada@example.com")):
        said = command.ask("alerts", "add", "ops", *given, code=2)

        assert "by --url or by --email" in said.stderr


def test_an_executor_says_why_it_cannot_work(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "tr_dev_of_somebody_else")
    refused = command.ask("executor", code=2)
    monkeypatch.delenv("RUNFOLD_SECRET_KEY")
    unset = command.ask("executor", code=2)

    assert "does not let this executor work: " in refused.stderr
    assert "this key opens no environment here" in refused.stderr
    assert "RUNFOLD_SECRET_KEY is not set" in unset.stderr
