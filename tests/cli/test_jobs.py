"""`runfold jobs` and `runfold secrets`, against a real engine that calls a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from tests.cli.commandline import CommandLine

URL = "https://example.com/"


class Handler(BaseHTTPRequestHandler):
    """Tells who asks when it has answered."""

    asked: "list[tuple[str, str, bytes]]"
    came: threading.Semaphore

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, self.headers["authorization"], body))
        self.send_response(204)
        self.end_headers()
        self.came.release()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the signature of what it replaces)
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Here", (Handler,), {"asked": [], "came": threading.Semaphore(0)})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_url_of_this_machine_is_called_with_a_secret(command: CommandLine, server: tuple[str, type[Handler]]) -> None:
    url, handler = server
    command.stdin = b"hush hush\n"
    told = command.run("secrets", "set", "api-token")

    header = ("--header", "Authorization: secret://api-token")
    job = command.json("jobs", "add", "Ping", f"{url}/hook", "--body", '{"a": 1}', *header)

    assert handler.came.acquire(timeout=20)
    assert told.startswith("api-token has its value number 1, encrypted with key ")
    assert handler.asked == [("/hook", "hush hush", b'{"a":1}')]
    assert (job["kind"], job["request"]["method"]) == ("one_time", "POST")
    (execution,) = command.json("jobs", "executions", "--job", job["id"])
    assert execution["job_name"] == "Ping"
    table = command.run("jobs", "executions").splitlines()
    assert (table[0].split()[0], execution["id"] in table[1]) == ("execution", True)
    assert command.json("secrets", "list")[0]["name"] == "api-token"
    assert command.run("secrets", "remove", "api-token") == "api-token is removed\n"
    assert command.run("secrets", "list") == "No secrets.\n"


def test_a_job_is_saved_shown_paused_resumed_run_and_removed(command: CommandLine) -> None:
    added = command.run("jobs", "add", "Daily", URL, "--cron", "0 9 * * *", "--timezone", "Europe/Berlin", "--draft")
    job = added.split()[0]
    resumed = command.run("jobs", "resume", job)
    paused = command.run("jobs", "pause", job)
    execution = command.run("jobs", "run", job).strip()

    shown = httpx.Response(200, text=command.run("jobs", "show", job)).json()
    assert (added, resumed, paused) == (f"{job} is draft\n", f"{job} is active\n", f"{job} is paused\n")
    assert (shown["schedule"]["timezone"], shown["state"]) == ("Europe/Berlin", "paused")
    assert [each["id"] for each in command.json("jobs", "executions", "--job", job)] == [execution]
    assert [each["id"] for each in command.json("jobs", "list", "--state", "paused")] == [job]
    assert job in command.run("jobs", "list")
    assert command.run("jobs", "remove", job) == f"{job} is removed\n"
    assert command.run("jobs", "list", "--state", "paused") == "No jobs.\n"


def test_each_kind_of_time_has_its_option(command: CommandLine) -> None:
    every = command.json("jobs", "add", "a", URL, "--every", "5", "--draft", "--pause-after", "3", "--rate", "10/1m")
    at = command.json("jobs", "add", "a", URL, "--at", "2999-01-01T00:00:00Z", "--draft")
    webhook = command.run("jobs", "add", "a", URL, "--webhook")

    assert (every["kind"], every["schedule"]["every_n_minutes"]) == ("recurring", 5)
    assert every["pause_after_failures"] == 3
    assert every["rate_limit"] == "10/1m"
    assert (at["kind"], at["schedule"]["run_at"]) == ("scheduled", "2999-01-01T00:00:00.000Z")
    assert "is active: POST http://" in webhook
    assert webhook.endswith(" runs it\n")


def test_a_crontab_is_read_from_standard_input(command: CommandLine) -> None:
    command.stdin = b"# Cache\n*/5 * * * * curl -fsS https://example.com/cache\n0 3 * * * /usr/bin/backup\n"

    lines = command.run("jobs", "import", "--dry-run").splitlines()
    saved = command.json("jobs", "import", "--timezone", "Europe/Berlin")

    assert lines[0] == "line 2: would become the job Cache"
    assert lines[1].startswith("line 3 becomes no job: it runs backup")
    assert command.json("jobs", "list")[0]["id"] == saved["jobs"][0]["id"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("jobs", "show", "job_1"), 1, "Job job_1 not found."),
        (("jobs", "add", "a", "ftp://a"), 1, "The URL begins with http:// or https://."),
        (("jobs", "add", "a", URL, "--cron", "x", "--every", "5"), 2, "One thing starts a job"),
        (("jobs", "add", "a", URL, "--header", "x"), 2, "is no header"),
        (("jobs", "import", "--file", "nothing"), 2, "The file nothing cannot be read"),
        (("jobs", "list", "--state", "gone"), 1, "There is no state 'gone' of a job"),
        (("secrets", "remove", "nothing"), 1, "There is no secret nothing in this environment."),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = command.ask(*arguments, code=code)

    assert said.stdout == ""
    assert sentence in " ".join(said.stderr.replace("│", " ").split())
