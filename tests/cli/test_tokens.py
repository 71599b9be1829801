"""`runfold tokens`, against a real engine."""

import httpx
import pytest

from tests.cli.commandline import CommandLine


def test_a_token_is_made_shown_listed_and_completed(command: CommandLine) -> None:
    made = command.json("tokens", "create", "--timeout", "1h", "--tag", "order", "--idempotency-key", "order 7")
    again = command.json("tokens", "create", "--idempotency-key", "order 7")
    completed = command.json("tokens", "complete", made["id"], '{"approved": true}')
    command.run("tokens", "complete", made["id"])
    lines = command.run("tokens", "show", made["id"]).splitlines()
    table = command.run("tokens", "list", "--tag", "order", "--status", "COMPLETED").splitlines()

    assert again == made
    assert (made["status"], made["tags"], made["idempotencyKey"]) == ("WAITING", ["order"], "order 7")
    assert (completed["status"], completed["output"]) == ("COMPLETED", {"approved": True})
    assert lines[:3] == [
        f"token            {made['id']}",
        "status           COMPLETED",
        f"url              {made['url']}",
    ]
    assert lines[-1] == 'output           {"approved":true}'
    assert table[0].split("  ")[0] == "token"
    assert [line.split()[:2] for line in table[1:]] == [[made["id"], "COMPLETED"]]
    assert command.json("tokens", "list", "--idempotency-key", "order 7")[0]["id"] == made["id"]


def test_the_url_that_is_shown_completes_the_token(command: CommandLine) -> None:
    made = command.json("tokens", "create")
    answer = httpx.post(made["url"], json=7)

    assert answer.json() == {"success": True}
    assert command.json("tokens", "show", made["id"])["output"] == 7


def test_a_token_that_timed_out_says_so(command: CommandLine) -> None:
    made = command.json("tokens", "create", "--timeout", "0s")

    shown = command.run("tokens", "show", made["id"])

    assert "TIMED_OUT" in shown
    assert "error      Waitpoint timed out at " in shown


def test_no_tokens_are_listed_as_such(command: CommandLine) -> None:
    assert command.run("tokens", "list", "--tag", "nobody has it") == "No tokens.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("tokens", "show", "waitpoint_unknown"), 1, "Waitpoint waitpoint_unknown not found."),
        (("tokens", "complete", "waitpoint_unknown"), 1, "Waitpoint waitpoint_unknown not found."),
        (("tokens", "complete", "waitpoint_1", "yes"), 2, "DATA is no JSON"),
        (("tokens", "create", "--timeout", "soon"), 2, "--timeout"),
        (("tokens", "list", "--status", "DONE"), 1, "There is no status 'DONE' of a token"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = command.ask(*arguments, code=code)

    assert said.stdout == ""
    assert sentence in " ".join(said.stderr.replace("│", " ").split())
