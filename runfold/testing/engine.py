"""An engine for tests: a process on a file of its own, which ends when this process does."""

import os
import secrets
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from runfold.config import Settings
from runfold.engine import program
from runfold.errors import api_error

START_SECONDS = 60
ANSWER_SECONDS = 30.0
LISTENING = "Runfold is listening on "
NOW = "x-runfold-now"
"""The header in which an engine for tests says what time it is, in milliseconds."""


class EngineError(Exception):
    """The engine did not start; the message has what it said."""


@dataclass(frozen=True)
class Environment:
    """A tenant of the engine that one test has for itself: nothing outside of it sees its runs."""

    slug: str
    settings: Settings
    """The address and the key that lead to it."""


class Engine:
    """A running engine. Made by `running_engine`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, admin_key: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log
        """The file with what the engine logs."""
        self._admin_key = admin_key
        # Environments of the shell, such as proxies, are for the world outside.
        self._http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS, trust_env=False)
        self._environments = 0

    def environment(self, type: str = "PRODUCTION") -> Environment:  # noqa: A002 (the API's word)
        """A new environment. In one of the type DEVELOPMENT a run expires after ten minutes in its queue."""
        self._environments += 1
        slug = f"test-{self._environments}"
        made = self.ask("POST", "/api/v1/environments", self._admin_key, {"slug": slug, "type": type})
        return Environment(slug, Settings(self.url, made["key"]))

    def pause_schedules(self, environment: Environment) -> None:
        """Let nothing of an environment run by itself any more."""
        key, path = environment.settings.secret_key, "/api/v1/schedules"
        if self.process.poll() is not None:
            return
        for each in self.ask("GET", f"{path}?perPage=100", key)["data"]:
            self.ask("POST", f"{path}/{each['id']}/deactivate", key)

    def ask(self, method: str, path: str, key: str, body: Any = None, timeout: float | None = ANSWER_SECONDS) -> Any:
        """The answer to a request that is sent once, because time that is put forward twice is twice as much."""
        headers = {"authorization": f"Bearer {key}"}
        response = self._http.request(method, path, json=body, headers=headers, timeout=timeout)
        if not response.is_success:
            raise api_error(response.status_code, response.content)
        return response.json()

    @property
    def is_closed(self) -> bool:
        """Whether it has ended with the last test."""
        return self._http.is_closed

    def close(self) -> None:
        """End it at once: nothing of it is kept."""
        self._http.close()
        self.process.kill()
        self.process.communicate()


@contextmanager
def running_engine(folder: Path) -> Generator[Engine]:
    """An engine whose files are in this folder, which must be a new one. Raises EngineError."""
    log = folder / "engine.log"
    admin_key = secrets.token_hex(16)
    command, environment = program("app.testing")
    environment = {name: value for name, value in environment.items() if not name.startswith("RUNFOLD_")}
    environment |= {
        "RUNFOLD_DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
        "RUNFOLD_PORT": "0",
        "RUNFOLD_ADMIN_KEY": admin_key,
        "RUNFOLD_SECRET_KEY": f"tr_dev_{secrets.token_hex(16)}",
        "RUNFOLD_LOG_FORMAT": "console",
    }
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            # It ends with this pipe, whose other end only this process has: also when this process is killed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=os.name == "posix",  # Ctrl-C is for the tests, which may still need it to clean up
        )
    try:
        engine = Engine(process, _address(process, log), admin_key, log)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    try:
        yield engine
    finally:
        engine.close()


def _address(process: "subprocess.Popen[str]", log: Path) -> str:
    """Where it listens, as soon as it does."""
    assert process.stdout is not None, "it is a pipe"
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        line = process.stdout.readline()
    finally:
        too_late.cancel()
    if not line.startswith(LISTENING):
        process.wait()
        raise EngineError(f"The engine did not start:\n{line}{log.read_text(errors='replace')}")
    return line.removeprefix(LISTENING).strip()
