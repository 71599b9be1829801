"""What a peer's program is asked to do; it runs in that peer's environment, where only the standard library is sure.

python -P bench/peers/PEER.py install | work | run TASK RUNS | enqueue RUNS | latency CALLS | fill RUNS | list CALLS
"""

import asyncio
import importlib
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from bench.pace import on_time
from bench.peers.names import NOTE, NOTHING, PAGE, WARM_UP_RUNS

URL = os.environ["BENCH_URL"]
"""The database, or the socket of Redis."""
TIMES = os.environ["BENCH_TIMES"]
BATCH = 1_000
"""So many runs are given to a peer's bulk interface at once."""
DONE_SECONDS = 120
LOOK_AGAIN_SECONDS = 0.05

# One write for each line, so that lines of several runs do not mix.
_TIMES = os.open(TIMES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_calls: Counter[int] = Counter()


class Peer(Protocol):
    """What the measurements need of a peer; tasks are named, and each run has one number."""

    async def install(self) -> None:
        """Make its tables in an empty database."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...

    async def work(self) -> None:
        """Do runs until the process is ended."""
        ...

    async def enqueue(self, task: str, numbers: range) -> None:
        """Its fastest public way to make many runs."""
        ...

    async def enqueue_one(self, task: str, number: int) -> Any:
        """Its plain way to make one; the key under which `ended` knows it."""
        ...

    async def done(self) -> int:
        """How many runs its own store says are completed."""
        ...

    async def ended(self) -> dict[Any, float]:
        """When each run was completed by its own store, in seconds since 1970."""
        ...


class History(Protocol):
    """What is needed of a peer that can list its runs."""

    async def fill(self, runs: int) -> None:
        """Put so many finished runs into its history, one in a hundred of them failed."""
        ...

    async def failed(self) -> int:
        """List the newest failed runs by its own interface; how many it gave."""
        ...


class NotYetError(Exception):
    """A run fails with it twice."""


def library(name: str) -> Any:
    """A module of the peer. Type checkers cannot see it: it is in no environment but this one."""
    return importlib.import_module(name)


def parts(numbers: range, size: int) -> Iterator[range]:
    """The numbers, so many at a time."""
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def note(scheduled_ns: int) -> None:
    """What the task `note` does: say when it began."""
    began_ns = time.time_ns()
    os.write(_TIMES, f"{scheduled_ns} {began_ns}\n".encode())


def is_early(number: int) -> bool:
    """Whether the task `twice` is to fail, as it does the first two times that it has a number."""
    _calls[number] += 1
    return _calls[number] < 3


def main(peer: Peer, history: History | None = None) -> None:
    """Do what the command line says, and print what was found as JSON."""
    logging.disable(logging.CRITICAL)
    verb, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(_answer(peer, history, verb, arguments))), flush=True)
    # Some peers leave threads behind that would keep the process.
    os._exit(0)


async def _answer(peer: Peer, history: History | None, verb: str, arguments: list[str]) -> Any:
    await peer.open()
    match verb, arguments:
        case "install", []:
            return await peer.install()
        case "work", []:
            print("ready", flush=True)
            return await peer.work()
        case "run", [task, runs]:
            return await _run(peer, task, int(runs))
        case "enqueue", [runs]:
            begun = time.perf_counter()
            await peer.enqueue(NOTHING, range(int(runs)))
            return time.perf_counter() - begun
        case "latency", [calls]:
            return await _latency(peer, int(calls))
        case "fill", [runs] if history:
            return await history.fill(int(runs))
        case "list", [calls] if history:
            return [await _list(history) for _ in range(int(calls))]
        case _:
            sys.exit(__doc__)


async def _run(peer: Peer, task: str, runs: int) -> list[float]:
    """Seconds until all were enqueued, and until all were completed."""
    await _warm_up(peer)
    begun = time.perf_counter()
    await peer.enqueue(task, range(runs))
    enqueued = time.perf_counter()
    await _until_done(peer, WARM_UP_RUNS + runs)
    return [enqueued - begun, time.perf_counter() - begun]


async def _latency(peer: Peer, calls: int) -> list[list[float]]:
    """How long each call took, and how long after its scheduled time each run was completed, in milliseconds."""
    await _warm_up(peer)
    scheduled: dict[Any, int] = {}

    async def call(at_ns: int) -> None:
        scheduled[await peer.enqueue_one(NOTE, at_ns)] = at_ns

    took = await on_time(calls, call)
    await _until_done(peer, WARM_UP_RUNS + calls)
    ended = await peer.ended()
    return [took, [ended[key] * 1_000 - at_ns / 1e6 for key, at_ns in scheduled.items()]]


async def _list(history: History) -> float:
    begun = time.perf_counter()
    found = await history.failed()
    took = time.perf_counter() - begun
    assert found >= PAGE, f"{found} failed runs are listed"
    return took * 1_000


async def _warm_up(peer: Peer) -> None:
    await peer.enqueue(NOTHING, range(WARM_UP_RUNS))
    await _until_done(peer, WARM_UP_RUNS)


async def _until_done(peer: Peer, runs: int) -> None:
    deadline = time.perf_counter() + DONE_SECONDS
    while (done := await peer.done()) < runs:
        if time.perf_counter() > deadline:
            sys.exit(f"After {DONE_SECONDS} s {done} of {runs} runs are completed.")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
