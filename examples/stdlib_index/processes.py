"""An engine and a worker as processes of their own, which are gone when the work is done."""

import os
import secrets
import subprocess
import sysconfig
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import runfold

COMMAND = Path(sysconfig.get_path("scripts")) / "runfold"
LISTENING = "Runfold is listening on "
STOP_SECONDS = 30
RUNS_AT_HAND = 16
"""More than the worker has processes, so that these never wait for the engine."""
LOG_SHOWN_MAX = 2_000


class DemoError(Exception):
    """Something is not as it should be; the message is for the person who watches."""


@dataclass
class Running:
    """A process of the demo."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def check(self) -> None:
        """Raise DemoError if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"The {self.name} ended with code {code}.\n{self.log.read_text()[-LOG_SHOWN_MAX:]}")

    def stop(self) -> int:
        """Ask it to end, and see to it that it does."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def engine_and_worker(folder: Path, tasks: Path, variables: Mapping[str, str]) -> Generator[tuple[Running, Running]]:
    """From now on the SDK, and commands that are started in `folder`, reach this engine, which has these variables."""
    key = f"tr_prod_{secrets.token_hex(16)}"  # where the runs of a worker that is killed are tried again
    # Where the SDK and the command line look for it, also when all of this is over.
    file = folder / ".runfold" / "secret-key"
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(key)
    world = {name: value for name, value in os.environ.items() if not name.startswith("RUNFOLD_")}
    world |= {"RUNFOLD_PORT": "0", "RUNFOLD_SECRET_KEY": key, "RUNFOLD_LOG_LEVEL": "warning"}
    world |= variables
    with _process(folder, world, "engine", "serve") as engine:
        address = _address_of(engine)
        os.environ["RUNFOLD_API_URL"] = world["RUNFOLD_API_URL"] = address
        runfold.configure(api_url=address, secret_key=key)
        arguments = ("worker", str(tasks), "--concurrency", str(RUNS_AT_HAND))
        with _process(folder, world, "worker", *arguments) as worker:
            yield engine, worker


@contextmanager
def _process(folder: Path, world: Mapping[str, str], name: str, *arguments: str) -> Generator[Running]:
    """Raises DemoError when it does not end in order once it is asked to."""
    log = folder / f"{name}.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [COMMAND, *arguments],
            cwd=folder,
            env=world,
            text=True,
            stdout=subprocess.PIPE if name == "engine" else file,
            stderr=file,
        ) as process,
    ):
        running = Running(name, process, log)
        try:
            yield running
        finally:
            code = running.stop()
    if code:
        running.check()


def _address_of(engine: Running) -> str:
    """Its first words, once it listens."""
    assert engine.process.stdout, "it is a pipe"
    for line in engine.process.stdout:
        if line.startswith(LISTENING):
            return line.removeprefix(LISTENING).strip()
    engine.process.wait()
    engine.check()
    raise AssertionError("an engine that has ended fails its check")
