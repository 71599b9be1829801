"""Where the time goes: CPU time of each stage of a run's way, and the functions that take most."""

import asyncio
import cProfile
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import clients, core, profiles
from bench.figures import BenchError, Chapter, Figure
from bench.processes import COMMAND, Running, engine, worker

RUNS, QUICK_RUNS = 20_000, 2_000
REPEATS = 3
BATCH, CONCURRENCY = 100, 100
WATCHED = Path(__file__).with_name("watched.py")
SAID_SECONDS = 30

HTTP = "engine: HTTP, routing, answers, event loop"
STAGES: dict[str, tuple[str, ...]] = {
    HTTP: ("main", "-parse", "-decide", "-publish"),
    "engine: parse requests into commands": ("parse",),
    "engine: decide, react, evolve": ("decide",),
    "engine: publish to followers": ("publish",),
    "ledger: look up idempotency keys": ("look up",),
    "ledger: encode and commit": ("append", "-insert"),
    "ledger: hash and insert": ("insert",),
    "read models: load and fold": ("fold",),
    "read models: store rows": ("store",),
    "read models: transaction": ("apply", "-fold", "-store"),
    "engine: other threads": ("process", "-main", "-append", "-look up", "-apply"),
    "engine in all": ("process",),
}
"""What each figure is made of; a minus takes a part of it away."""


class Watched(NamedTuple):
    """What a watched process said, and the CPU microseconds for each run of the two others."""

    said: bytes
    worker_cpu: float
    client_cpu: float


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Stages on their own, then profiles, which slow down what they watch."""
    runs, repeats = (QUICK_RUNS, 1) if quick else (RUNS, REPEATS)
    found = [_watch(folder, runs, ("stages", "engine")) for _ in range(repeats)]
    spent = [msgspec.json.decode(each.said, type=dict[str, int]) for each in found]
    figures = [
        Figure(name, "µs/run", tuple(_sum(each, parts) / runs / 1_000 for each in spent))
        for name, parts in STAGES.items()
    ]
    figures.append(Figure("worker in all", "µs/run", tuple(each.worker_cpu for each in found)))
    figures.append(Figure("client in all", "µs/run", tuple(each.client_cpu for each in found)))
    texts = {
        "The core alone": _profile_of_core(runs),
        "The engine's event loop": msgspec.json.decode(_watch(folder, runs, ("profile", "engine")).said, type=str),
        "The worker": msgspec.json.decode(_watch(folder, runs, ("profile", "worker")).said, type=str),
    }
    about = (
        f"CPU time for each of {runs:,} runs in batches of {BATCH}, {CONCURRENCY} at once, on the clock of the thread"
        " that spends it, while engine, worker and client run as in the first chapter. Waiting for disks, locks and"
        " other threads does not count, so the sum says how much of the machine a run takes."
    )
    text = "\n\n".join(f"{title}, by own time under cProfile:\n\n```text\n{text}\n```" for title, text in texts.items())
    return Chapter("Where the time goes", about, figures, text)


def _sum(spent: dict[str, int], parts: Sequence[str]) -> int:
    return sum(-spent.get(part[1:], 0) if part.startswith("-") else spent.get(part, 0) for part in parts)


def _profile_of_core(runs: int) -> str:
    profile = cProfile.Profile()
    profile.enable()
    core.run_through(runs, BATCH)
    profile.disable()
    return profiles.top(profile)


def _watch(where: Path, runs: int, how: tuple[str, str]) -> Watched:
    """All runs once, with one of the processes watched."""
    kind, program = how
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        said = folder / "said"
        watched = (sys.executable, WATCHED, kind, said, program)
        with (
            _engine(folder, watched if program == "engine" else None) as running,
            _worker(folder, running, watched if program == "worker" else None) as working,
        ):
            subject = running if program == "engine" else working
            worker_cpu, client_cpu = asyncio.run(_go(runs, running, working, subject))
            return Watched(_hear(subject, said), worker_cpu, client_cpu)


def _engine(folder: Path, watched: Sequence[str | Path] | None) -> AbstractContextManager[Running]:
    return engine(folder, watched or (COMMAND, "serve"))


def _worker(folder: Path, running: Running, watched: Sequence[str | Path] | None) -> AbstractContextManager[Running]:
    options = ("--concurrency", str(CONCURRENCY))
    return worker(folder, running.address, *options, command=watched or (COMMAND, "worker"))


async def _go(runs: int, running: Running, working: Running, subject: Running) -> tuple[float, float]:
    async with clients.api(running.address) as http:
        await clients.warm_up(http)
        before, _ = await clients.head(http)
        subject.send(signal.SIGUSR1)
        worker_before, client_before = working.usage().cpu, time.process_time()
        requests = await clients.trigger("nothing", runs, BATCH)
        events = clients.EVENTS_PER_RUN["nothing"] * runs + clients.EVENTS_PER_BATCH * requests
        await clients.all_done(http, before + events, 300)
        each = 1e6 / runs
        return (working.usage().cpu - worker_before) * each, (time.process_time() - client_before) * each


def _hear(subject: Running, said: Path) -> bytes:
    """Let the process say what it found."""
    subject.send(signal.SIGUSR1)
    deadline = time.perf_counter() + SAID_SECONDS
    while not said.exists():
        if time.perf_counter() > deadline:
            raise BenchError(f"The watched process said nothing within {SAID_SECONDS} s.")
        time.sleep(clients.LOOK_AGAIN_SECONDS)
    return said.read_bytes()
