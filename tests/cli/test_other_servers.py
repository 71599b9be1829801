"""Commands whose address is that of a server which answers everything with 200 and JSON, and is no engine."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

import runfold
from tests.cli.commandline import CommandLine

SHAPES: dict[str, Any] = {
    "object": {"ok": True},
    "list": [],
    "rows of others": {"data": [{"ok": True}]},
    "list of texts": {"data": ["ok"], "events": ["ok"], "changes": ["ok"], "jobs": ["ok"]},
    "no list": {"data": 1, "events": 1, "changes": 1, "jobs": 1, "days": {}},
}
COMMANDS = (
    "alerts list",
    "alerts add ops --url https://example.com",
    "alerts test ops",
    "alerts remove ops",
    "batches list",
    "batches show batch_1",
    "connections list",
    "connections rotate",
    "deployments list",
    "deployments promote 1",
    "diff --from 1 --to 2",
    "environments list",
    "environments create other",
    "erase run_1",
    "events list",
    "events send paid",
    "explain run_1",
    "jobs add daily https://example.com",
    "jobs list",
    "jobs run job_1",
    "jobs pause job_1",
    "jobs resume job_1",
    "jobs executions",
    "keys create",
    "keys list",
    "ledger events",
    "queues list",
    "queues pause mail",
    "retention set --days 3",
    "retention show",
    "runs list",
    "runs show run_1",
    "runs events run_1",
    "runs logs run_1",
    "runs trigger add",
    "runs replay run_1",
    "runs tag run_1 a",
    "schedules list",
    "schedules run schedule_1",
    "secrets list",
    "sink list",
    "tokens list",
    "tokens create",
)


class Other(ThreadingHTTPServer):
    """Answers with `body`, and as an engine does at `/readyz` if it `is_engine`."""

    daemon_threads = True
    body: Any = None
    is_engine = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Other)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        is_asked = self.server.is_engine and self.path == "/readyz"
        content = json.dumps({"role": "writer", "readModels": 1} if is_asked else self.server.body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (names of the standard library)

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 (as it is called there)


@pytest.fixture
def other() -> Iterator[Other]:
    with Other(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def command(other: Other, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """`runfold` with the address of the other server."""
    monkeypatch.setenv("RUNFOLD_API_URL", other.url.replace("//", "//ada:password@"))
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "a-key-of-sixteen-letters")
    monkeypatch.delenv("RUNFOLD_ADMIN_KEY", raising=False)
    yield CommandLine(monkeypatch, capsys)
    runfold.configure()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("line", COMMANDS)
def test_it_is_told_that_no_engine_is_at_the_address(
    other: Other, command: CommandLine, line: str, shape: object
) -> None:
    other.body = shape

    answer = command.ask(*line.split(), code=1)

    assert answer.stderr.startswith(f"{other.url} answered 200, but not as an engine does: is RUNFOLD_API_URL right?")
    assert len(answer.stderr.splitlines()) == 1


def test_a_fault_of_a_command_is_not_blamed_on_an_engine(other: Other, command: CommandLine) -> None:
    other.is_engine, other.body = True, {"ok": True}

    with pytest.raises(KeyError, match="execution_id"):
        command.ask("jobs", "run", "job_1")
