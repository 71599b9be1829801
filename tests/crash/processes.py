"""The processes of a scenario, as handles: start, kill, pause, wait until they are gone."""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread

from tests.crash.death import NEVER, children_of
from tests.crash.engine_process import run
from tests.crash.journal_worker import run as run_worker
from tests.crash.tutorial_worker import run as run_tutorial
from tests.crash.worker_process import run as run_watched

ROOT = Path(__file__).parents[2]
READ_BYTES = 65_536
GONE_SECONDS = 20.0
"""A process that should have ended long before this never will."""

LATER = ("app.server", "anyio._backends._asyncio", "uvicorn.protocols.http.httptools_impl", "uvloop")
"""What an engine imports only when it is to serve."""

# They are forked from a process that has imported everything and started nothing: it saves each of them a second.
_prepared = multiprocessing.get_context("forkserver")
_prepared.set_forkserver_preload([each.__module__ for each in (run, run_worker, run_tutorial, run_watched)] + [*LATER])


class Forked:
    """One life of something that was prepared."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        self._process = _prepared.Process(target=target, args=arguments, daemon=True)
        self._process.start()
        assert self._process.pid is not None, "it has started"
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to a process that has not ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    async def ended(self, within: float = GONE_SECONDS) -> int:
        """Wait so many seconds for its end; the exit code, or the signal as a negative number."""
        # The thread only waits. Each process that is started reads the codes of those that have ended, and of two
        # threads that read one code the second finds none and says 255: all reading stays in the thread of the test.
        await asyncio.to_thread(wait, [self._process.sentinel], within)
        code = self._process.exitcode
        assert code is not None, "the process does not end"
        return code


class EngineProcess(Forked):
    """One life of an engine that dies at a place for the `count`-th time, or by a signal."""

    def __init__(self, environment: Mapping[str, str], log: Path, place: str = NEVER, count: int = 1) -> None:
        super().__init__(run, dict(environment), log, place, count)


class WorkerProcess(Forked):
    """One life of a worker around whose journals somebody dies."""

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        super().__init__(run_worker, dict(environment), log, arguments)


class TutorialWorker(Forked):
    """One life of a worker with the tasks of a tutorial, which may die at boundaries of a kind."""

    def __init__(self, environment: Mapping[str, str], folder: Path, kind: str, *arguments: str) -> None:
        super().__init__(run_tutorial, dict(environment), folder, kind, arguments)


class WatchedWorker(Forked):
    """One life of a worker that notes in a file what was acknowledged, with all that it and its processes say."""

    def __init__(self, environment: Mapping[str, str], journal: Path, place: str, count: int, *arguments: str) -> None:
        reader, writer = _prepared.Pipe(duplex=False)
        super().__init__(run_watched, dict(environment), writer, (str(journal), place, count), arguments)
        writer.close()
        self._said = bytearray()
        self._reading = Thread(target=self._read, args=(reader,), daemon=True)
        self._reading.start()

    @property
    def said(self) -> str:
        """Its output so far."""
        return self._said.decode(errors="replace")

    @property
    def children(self) -> list[int]:
        """The processes that it has started."""
        return children_of(self.pid)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    async def ended(self, within: float = GONE_SECONDS) -> int:
        """Wait until it has ended and with it all that it started, which holds the same pipe open."""
        code = await super().ended(within)
        await asyncio.to_thread(self._reading.join, GONE_SECONDS)
        assert not self._reading.is_alive(), "its processes do not end"
        return code

    def _read(self, reader: Connection) -> None:
        with reader:
            while said := os.read(reader.fileno(), READ_BYTES):
                self._said += said


class Program:
    """A Python program as a user starts it, with all that it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, environment: Mapping[str, str], module: str, *arguments: str) -> "Program":
        """`python -m MODULE ARGUMENTS`."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )

    @property
    def said(self) -> str:
        """Its output so far."""
        return "".join(self._said)

    @property
    def children(self) -> list[int]:
        """The processes that it has started."""
        return children_of(self._process.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to a process that has not ended."""
        if self.is_running:
            self._process.send_signal(number)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait until it has ended and with it all that it started, which holds the same pipe open."""
        async with asyncio.timeout(GONE_SECONDS):
            await self._reading
            return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._said.append(line.decode(errors="replace"))
