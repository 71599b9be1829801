"""Threads in the place of a worker's child processes: what a test has patched is patched for these tasks too."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from runfold.blocking import background_loop
from runfold.context import Cancellation
from runfold.definition import Task
from runfold.entries import Outcome
from runfold.errors import SuspendedError
from runfold.journal import Journal
from runfold.worker.children import Children, Process
from runfold.worker.frames import Commit, Freeze, Logged, ToChild, ToWorker, Wake
from runfold.worker.gathering import without_secrets
from runfold.worker.handed import Attempt
from runfold.worker.links import ChildLink, Link
from runfold.worker.outcomes import Ended
from runfold.worker.performing import StoppedError, perform_sync
from runfold.worker.redacting import described
from runfold.worker.resolving import resolve_sync


class Threads(Children):
    """As many as there are runs."""

    def __init__(self, tasks: Mapping[str, Task[Any, Any]], limit: int) -> None:
        super().__init__("", limit)
        self._tasks = tasks

    @asynccontextmanager
    async def one(self) -> "AsyncGenerator[Process]":
        """One for one run."""
        yield _Thread(self._tasks)


class _Thread(Process):
    """Speaks to the worker as a child process does. It cannot be ended from outside, unless its code waits."""

    def __init__(self, tasks: Mapping[str, Task[Any, Any]]) -> None:
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._link = ChildLink(lambda _, message: self._say(message))
        self._cancellation = Cancellation()
        self._journal: Journal | None = None

    async def perform(self, attempt: Attempt, link: Link, woken: Mapping[int, Outcome]) -> Ended:
        """Make one attempt. Cancelling does not end its code, and lets nobody hear of it any more."""
        run = attempt.run
        self._journal = journal = Journal(
            run.id,
            run.attempt,
            run.journal,
            self._link,
            partial(described, run),
            loop=background_loop(),
        )
        journal.log = without_secrets(run, lambda line: self._say(Logged(run.id, line)))
        name = f"runfold task {run.task}"
        threading.Thread(target=self._make, args=(attempt, journal), name=name, daemon=True).start()
        for wait, outcome in woken.items():
            self.wake(wait, outcome)
        try:
            return await self._hear(run.id, link)
        except asyncio.CancelledError:
            self._cancellation.set()
            self._in_background(partial(journal.suspend, StoppedError("The worker stops this run.")))
            raise

    async def read(self) -> ToWorker:
        """The next message."""
        return await self._said.get()

    def _make(self, attempt: Attempt, journal: Journal) -> None:
        task = self._tasks[attempt.run.task]
        with suppress(StoppedError):
            if attempt.run.kind == "auth":
                self._say(resolve_sync(task, attempt, self._cancellation))
            else:
                self._say(perform_sync(task, attempt, self._cancellation, journal))

    def _say(self, message: ToWorker) -> None:
        with suppress(RuntimeError):  # the worker has ended, and its loop with it
            self._loop.call_soon_threadsafe(self._said.put_nowait, message)

    def _write(self, message: ToChild) -> None:
        assert self._journal is not None, "it is spoken to in an attempt"
        match message:
            case Commit(index=index):
                self._in_background(partial(self._link.commit, index))
            case Wake(wait=wait, outcome=outcome):
                self._in_background(partial(self._journal.wake, wait, outcome))
            case Freeze():
                self._in_background(
                    partial(self._journal.suspend, SuspendedError("The run waits, and goes on elsewhere."))
                )
            case _:
                raise AssertionError("the attempt is given to the thread, which is not told to stop")

    def _in_background(self, call: "partial[Any]") -> None:
        background_loop().call_soon_threadsafe(call)
