"""Engines and workers as processes of their own: start, look at their CPU time and memory, stop."""

import os
import secrets
import signal
import subprocess
import sysconfig
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from msgspec import Struct

import runfold
from bench import databases
from bench.figures import BenchError

COMMAND = Path(sysconfig.get_path("scripts")) / "runfold"
JOBS = Path(__file__).with_name("jobs.py")
# In production, where runs may wait in their queue for as long as a measurement takes.
KEY = f"tr_prod_{secrets.token_hex(16)}"
HEADERS = {"authorization": f"Bearer {KEY}"}
LISTENING = "Runfold is listening on "
READY_SECONDS = 60
STOP_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.002
_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(Struct, frozen=True):
    """CPU seconds so far, of the whole process and of its main thread, and megabytes of memory now."""

    cpu: float
    main_cpu: float
    memory: float


class Running:
    """A process of the benchmark."""

    def __init__(self, process: subprocess.Popen[str], log: Path, started: float) -> None:
        self.process = process
        self.log = log
        self.started = started
        """When it was started, on the clock of `time.perf_counter`."""
        self.address = ""

    def usage(self) -> Usage:
        """What it has taken so far."""
        folder = Path("/proc") / str(self.process.pid)
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        memory = int(status["VmRSS"].split()[0]) / 1024
        main = folder / "task" / str(self.process.pid) / "stat"
        return Usage(_cpu_of(folder / "stat"), _cpu_of(main), memory)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Let it end at once, in the middle of whatever it does."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Let it end in order; what does not is killed. Raises BenchError with its last words if it fails."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchError(f"{self.log.stem} did not stop within {STOP_SECONDS} s: {self._last_words()}") from None
        if code not in {0, -signal.SIGTERM}:
            raise BenchError(f"{self.log.stem} ended with code {code}: {self._last_words()}")

    def wait_ready(self, seconds: float = READY_SECONDS) -> float:
        """Seconds from the start of the process to the first 200 of /readyz."""
        deadline = self.started + seconds
        with httpx.Client(base_url=self.address) as http:
            while not http.get("/readyz").is_success:
                if time.perf_counter() > deadline:
                    raise BenchError(f"{self.log.stem} is not ready after {seconds:.0f} s.")
                time.sleep(_LOOK_AGAIN_SECONDS)
        return time.perf_counter() - self.started

    def wait_said(self, beginning: str) -> str:
        """Wait for the line with this beginning of a process that is heard; all of it."""
        assert self.process.stdout, "it is a pipe"
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line
        self.stop()
        raise BenchError(f"{self.log.stem} ended before it said {beginning!r}.")

    def _last_words(self) -> str:
        return self.log.read_text()[-2_000:]


@contextmanager
def engine(
    folder: Path, command: Sequence[str | Path] = (COMMAND, "serve"), *, database: str | None = None, **variables: str
) -> Generator[Running]:
    """An engine that listens, on a file in the folder or on the database; the SDK of this process talks to it."""
    url = database or databases.file_in(folder)
    with started(folder, "engine", command, is_heard=True, RUNFOLD_DATABASE_URL=url, **variables) as running:
        running.address = running.wait_said(LISTENING).removeprefix(LISTENING).strip()
        runfold.configure(api_url=running.address, secret_key=KEY)
        yield running


@contextmanager
def worker(
    folder: Path, address: str, *options: str, command: Sequence[str | Path] = (COMMAND, "worker")
) -> Generator[Running]:
    """A worker for the tasks of the benchmark; it may not have registered yet."""
    with started(folder, "worker", (*command, JOBS, *options), RUNFOLD_API_URL=address) as running:
        yield running


@contextmanager
def started(
    folder: Path, name: str, command: Sequence[str | Path], *, is_heard: bool = False, **variables: str
) -> Generator[Running]:
    """A process that is gone at the end of the `with`, whatever happens in there; it may be killed there, too."""
    world = {key: value for key, value in os.environ.items() if not key.startswith("RUNFOLD_")} | {
        "RUNFOLD_SECRET_KEY": KEY,
        "RUNFOLD_PORT": "0",
        "RUNFOLD_LOG_LEVEL": "warning",
        "BENCH_TIMES": str(folder / "times"),
    }
    log = folder / f"{name}.log"
    with log.open("a") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=world | variables,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_heard else output,
            stderr=output,
        )
    with process:
        running = Running(process, log, begun)
        try:
            yield running
        except BaseException:
            running.kill()
            raise
        if process.returncode != -signal.SIGKILL:
            running.stop()


def _cpu_of(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
