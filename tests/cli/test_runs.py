"""`runfold runs` against a running engine."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.cli.output import length
from tests.cli.commandline import CommandLine


def test_a_run_is_triggered_and_waited_for(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "add", "[1, 2]", "--tag", "a", "--tag", "b", "--wait")

    assert (run["status"], run["output"], run["payload"], run["tags"]) == ("COMPLETED", 3, [1, 2], ["a", "b"])
    assert [attempt["status"] for attempt in run["attempts"]] == ["COMPLETED"]


def test_waiting_for_a_run_that_fails_fails(command: CommandLine) -> None:
    shown = command.run("runs", "trigger", "refuse", '"x"', "--wait", code=1)

    assert "status    FAILED\n" in shown
    assert "error     AbortTaskRunError: This is refused [red]�[31mby design.\n" in shown
    assert 'in refuse\n    raise AbortTaskRunError("This' in shown


def test_how_long_a_run_ran_is_told_as_the_dashboard_tells_it(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "retried", '"x"', "--wait")

    table = command.run("runs", "list", "--limit", "1").splitlines()
    page = command.run("runs", "show", run["id"])

    ran = length(run["durationMs"])
    assert table[0].split()[-2:] == ["ran", "tags"]
    assert table[1].rstrip().endswith(ran)
    assert f"\nran       {ran}\n" in page


def test_the_id_is_all_that_triggering_prints(command: CommandLine) -> None:
    printed = command.run("runs", "trigger", "add", "[]")
    run = printed.strip()

    assert printed == f"{run}\n"
    assert command.json("runs", "show", run)["id"] == run


def test_the_same_idempotency_key_names_the_same_run(command: CommandLine) -> None:
    first, second = (command.json("runs", "trigger", "add", "[]", "--idempotency-key", "k") for _ in range(2))

    assert (first["isCached"], second) == (False, {"id": first["id"], "isCached": True})


def test_a_delayed_run_waits_in_its_queue_and_can_be_cancelled(command: CommandLine) -> None:
    run = command.run("runs", "trigger", "add", "[]", "--delay", "1h", "--ttl", "2h", "--queue", "later").strip()

    assert "status         DELAYED\n" in command.run("runs", "show", run)
    assert command.run("runs", "cancel", run) == f"{run} is CANCELED\n"
    assert command.json("runs", "cancel", run)["status"] == "CANCELED"
    assert [each["id"] for each in command.json("runs", "list", "--queue", "later", "--period", "1h")] == [run]


def test_a_list_has_what_its_filters_let_through(command: CommandLine) -> None:
    runs = [command.run("runs", "trigger", "add", f"[{n}]", "--tag", "listed").strip() for n in range(3)]

    assert [each["id"] for each in command.json("runs", "list", "--tag", "listed,other")] == runs[::-1]
    assert len(command.json("runs", "list", "--tag", "listed", "--limit", "2")) == 2
    assert command.json("runs", "list", "--tag", "listed", "--status", "DELAYED", "--status", "FAILED") == []
    assert command.run("runs", "list", "--task", "unheard-of") == "No runs.\n"
    assert runs[2] in command.run("runs", "list", "--tag", "listed").splitlines()[1]


def test_a_replay_is_a_new_run_with_the_same_payload(command: CommandLine) -> None:
    first = command.json("runs", "trigger", "add", "[4]", "--wait")

    second = command.json("runs", "show", command.run("runs", "replay", first["id"]).strip())

    assert second["id"] != first["id"]
    assert second["payload"] == [4]


def test_the_history_tells_of_the_attempt_that_failed(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "retried", '"x"', "--wait")["id"]

    types = [event["type"] for event in command.json("runs", "events", run)]
    table = command.run("runs", "events", run).splitlines()
    attempts = command.run("runs", "show", run).splitlines()[-2:]

    assert types == [
        "RunTriggered",
        "RunDequeued",
        "AttemptStarted",
        "AttemptFailed",
        "RetryScheduled",
        "RunEnqueued",
        "RunDequeued",
        "AttemptStarted",
        "AttemptSucceeded",
    ]
    assert table[0].split() == ["position", "recorded", "event", "actor", "cause", "details"]
    assert [line.split()[2] for line in table[1:]] == types
    assert "error=ValueError: The first attempt fails." in table[4]
    assert [line.split()[1] for line in attempts] == ["FAILED", "COMPLETED"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("runs", "show", "run_unknown"), 1, "Run run_unknown not found.\n"),
        (("runs", "list", "--status", "BROKEN"), 1, 'There is no status "BROKEN".'),
        (("runs", "trigger", "add", "{no json}"), 2, "PAYLOAD is no JSON"),
        (("runs", "trigger", "add", "[]", "--delay", "soon"), 2, "--delay"),
        (("runs", "list", "--limit", "0"), 2, "--limit"),
    ],
)
def test_a_refusal_is_a_sentence_and_an_exit_code(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = command.ask(*arguments, code=code)

    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_is_not_there_is_said_in_a_sentence(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNFOLD_API_URL", "http://127.0.0.1:9")

    said = command.ask("runs", "list", code=1).stderr

    assert said == (
        "The engine at http://127.0.0.1:9 did not answer: All connection attempts failed; "
        "if there is none yet, start one with `runfold dev` or `runfold serve`.\n"
    )


class Elsewhere(BaseHTTPRequestHandler):
    """Another server: one that has no runs, and one that says `ok` to everything."""

    def do_GET(self) -> None:
        is_ok = self.path.startswith("/ok/")
        self.send_response(200 if is_ok else 404)
        self.end_headers()
        self.wfile.write(b"ok" if is_ok else b"<html>Not found</html>")

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 (its name there)
        pass


@pytest.mark.parametrize(("path", "status"), [("", 404), ("/ok", 200)])
@pytest.mark.parametrize("arguments", [("runs", "list"), ("jobs", "list")])
def test_another_server_at_the_address_is_said_in_a_sentence(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], path: str, status: int
) -> None:
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(server.serve_forever)
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("RUNFOLD_API_URL", address + path)
        try:
            said = command.ask(*arguments, code=1).stderr
        finally:
            server.shutdown()

    assert said == f"{address} answered {status}, but not as an engine does: is RUNFOLD_API_URL right?\n"


def test_a_wrong_key_is_said_in_a_sentence(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "k" * 16)

    said = command.ask("runs", "list", code=1).stderr

    assert len(said.splitlines()) == 1
    assert said.endswith("this key opens no environment here. The key is from RUNFOLD_SECRET_KEY.\n")


def test_a_wrong_key_in_a_file_is_said_with_the_file(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".runfold").mkdir()
    file = tmp_path / ".runfold" / "secret-key"
    file.write_text("k" * 16)
    monkeypatch.chdir(tmp_path)

    assert command.ask("runs", "list", code=1).stderr.endswith(f" The key is from {file}.\n")


def test_json_keeps_every_character(command: CommandLine) -> None:
    run = command.run("runs", "trigger", "add", '["\\u0007 \\u009b ü"]').strip()

    assert json.loads(command.run("runs", "show", run, "--json"))["payload"] == ["\x07 \x9b ü"]
