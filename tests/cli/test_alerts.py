"""`runfold alerts`, against a real engine."""

from tests.cli.commandline import CommandLine

URL = "https://example.com/told"


def test_channels_are_added_listed_and_removed(command: CommandLine) -> None:
    assert command.run("alerts", "list") == "No alert channels.\n"
    added = command.run("alerts", "add", "ops", "--url", URL, "--secret", "signing", "--task", "send-email", "--once")
    mail = command.json("alerts", "add", "mail", "--email", "ada@example.com", "--on", "failure", "--job", "job_1")
    webhook = added.split()[0]

    assert added == f"{webhook} tells {URL} of failure, recovery, auto_pause\n"
    assert (mail["to"], mail["on"], mail["jobs"], mail["repeat"]) == (["ada@example.com"], ["failure"], ["job_1"], True)
    found = {each["id"]: each for each in command.json("alerts", "list")}
    assert found[mail["id"]] == mail
    kept = found[webhook]
    assert (kept["secret"], kept["tasks"], kept["repeat"]) == ("signing", ["send-email"], False)
    assert [line.split()[0] for line in command.run("alerts", "list").splitlines()[:1]] == ["channel"]
    assert command.run("alerts", "remove", webhook) == f"{webhook} is removed\n"
    assert command.run("alerts", "remove", mail["id"]) == f"{mail['id']} is removed\n"
    assert command.run("alerts", "list") == "No alert channels.\n"


def test_who_is_told_must_be_said_once(command: CommandLine) -> None:
    for given in ((), ("--url", URL, "--email", "ada@example.com")):
        said = command.ask("alerts", "add", "ops", *given, code=2)

        assert "by --url or by --email" in said.stderr
