"""Runfold and its peers, each asked for the same things in the way that is its own."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from bench import databases, latency, stores, throughput
from bench.clients import WARM_UP_RUNS
from bench.environments import PEERS, Missing, Store, python_of
from bench.figures import BenchError
from bench.peers.names import NOTHING, STEPS, TWICE
from bench.peers.names import WARM_UP_RUNS as PEERS_WARM_UP_RUNS
from bench.processes import engine, started
from bench.throughput import Load

ROOT = Path(__file__).parents[1]
ANSWER_SECONDS = 180
"""So long may a peer take for one thing that it was asked."""
BATCH = 1_000
"""As many as the peers are given at once."""
RUNS, RETRIED, STEPPED = 20_000, 2_000, 5_000


class Done(Struct, frozen=True):
    """One repetition; bytes only where the runs are kept in PostgreSQL."""

    per_second: float
    enqueued_per_second: float
    bytes_per_run: float | None


class Contestant(Protocol):
    """Everything is done in a new database, by processes of the contestant's own; `part` makes less of it."""

    title: str

    def run(self, where: Path, part: int, workers: int) -> Done:
        """Runs that do nothing, from the first call to the last that is completed."""
        ...

    def retry(self, where: Path, part: int) -> Done:
        """Runs that fail twice, and are tried again at once."""
        ...

    def steps(self, where: Path, part: int) -> Done:
        """Runs of five steps, whose results are kept one by one."""
        ...

    def enqueue(self, where: Path, part: int) -> float:
        """Runs a second, made while nobody does them."""
        ...

    def latency(self, where: Path, calls: int) -> latency.Measured:
        """Single calls at a steady pace."""
        ...


class Runfold:
    """The checkout itself, with an engine between its client and its worker."""

    def __init__(self, concurrency: int) -> None:
        self.title = f"Runfold, {concurrency} at once"
        self._concurrency = concurrency

    def run(self, where: Path, part: int, workers: int) -> Done:
        return self._done(where, Load(RUNS // part, BATCH, self._concurrency, workers))

    def retry(self, where: Path, part: int) -> Done:
        return self._done(where, Load(RETRIED // part, BATCH, self._concurrency, task=TWICE))

    def steps(self, where: Path, part: int) -> Done:
        return self._done(where, Load(STEPPED // part, BATCH, self._concurrency, task=STEPS))

    def enqueue(self, where: Path, part: int) -> float:
        with databases.fresh() as url, _folder_in(where) as folder, engine(folder, database=url) as running:
            running.wait_ready()
            return throughput.accepted(RUNS // part, BATCH)

    def latency(self, where: Path, calls: int) -> latency.Measured:
        with databases.fresh() as url:
            return latency.once(where, calls, url)

    def _done(self, where: Path, load: Load) -> Done:
        with databases.fresh() as url:
            measured = throughput.once(where, load, url)
            stored = databases.size(url) / (load.runs + WARM_UP_RUNS)
        return Done(measured.per_second, measured.accepted_per_second, stored)


class PeerProgram:
    """The program `bench/peers/NAME.py` in the environment of that peer. Raises Missing when it cannot run here."""

    def __init__(self, name: str) -> None:
        peer = PEERS[name]
        if peer.store is Store.REDIS and shutil.which("redis-server") is None:
            raise Missing(f"{peer.title} was not measured: there is no redis-server here.")
        self.title = peer.title
        self.peer = peer
        self._python = python_of(name)
        self._command: tuple[str | Path, ...] = (
            self._python,
            "-P",
            Path(__file__).with_name("peers") / f"{name}.py",
        )

    def run(self, where: Path, part: int, workers: int) -> Done:
        return self._done(where, NOTHING, self.peer.runs // part, workers)

    def retry(self, where: Path, part: int) -> Done:
        return self._done(where, TWICE, self.peer.retried // part, 1)

    def steps(self, where: Path, part: int) -> Done:
        return self._done(where, STEPS, self.peer.steps // part, 1)

    def enqueue(self, where: Path, part: int) -> float:
        runs = self.peer.runs // part
        with _folder_in(where) as folder, self.installed(folder) as url:
            return runs / float(self.ask(folder, url, "enqueue", runs))

    def latency(self, where: Path, calls: int) -> latency.Measured:
        with _folder_in(where) as folder, self.installed(folder) as url, self._workers(folder, url, 1):
            took, to_completed = self.ask(folder, url, "latency", calls)
            return latency.Measured(took, latency.started(folder / "times", calls), to_completed)

    @contextmanager
    def installed(self, folder: Path) -> Generator[str]:
        """A new place for its runs, with its tables."""
        with stores.opened(self.peer, self._python, folder) as url:
            self.ask(folder, url, "install")
            yield url

    def ask(self, folder: Path, url: str, *arguments: object) -> Any:
        """What the program answers. Raises BenchError with its last words."""
        command = (*self._command, *map(str, arguments))
        world = os.environ | _world(url) | {"BENCH_TIMES": str(folder / "times")}
        try:
            asked = subprocess.run(
                command, env=world, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
            )
        except subprocess.CalledProcessError as error:
            last = str(error.stderr).strip().splitlines()[-1:]
            raise BenchError(f"{self.title} failed to {arguments[0]}: {' '.join(last)}") from error
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{self.title} took longer than {ANSWER_SECONDS} s to {arguments[0]}.") from error
        return json.loads(asked.stdout.splitlines()[-1])

    def _done(self, where: Path, task: str, runs: int, workers: int) -> Done:
        with _folder_in(where) as folder, self.installed(folder) as url:
            is_measured = self.peer.store is Store.POSTGRES
            before = databases.size(url) if is_measured else 0
            with self._workers(folder, url, workers):
                enqueued, completed = self.ask(folder, url, "run", task, runs)
            stored = None
            if is_measured:
                stored = (databases.size(url) - before) / (runs + PEERS_WARM_UP_RUNS)
        return Done(runs / completed, runs / enqueued, stored)

    @contextmanager
    def _workers(self, folder: Path, url: str, count: int) -> Generator[None]:
        command = (*self._command, "work")
        with ExitStack() as stack:
            for _ in range(count):
                process = started(folder, "peer's worker", command, is_heard=True, **_world(url))
                stack.enter_context(process).wait_said("ready")
            yield


def _world(url: str) -> dict[str, str]:
    return {"BENCH_URL": url, "PYTHONPATH": str(ROOT)}


@contextmanager
def _folder_in(where: Path) -> Generator[Path]:
    with tempfile.TemporaryDirectory(dir=where) as name:
        yield Path(name)
