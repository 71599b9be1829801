"""A worker in the process of the tests: what a test has patched is patched for its tasks."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import httpx

from runfold import looping
from runfold.config import Settings
from runfold.definition import Task
from runfold.testing.engine import NOW
from runfold.testing.threads import Threads
from runfold.transport import connect
from runfold.worker.connection import Connection
from runfold.worker.holding import now_ms
from runfold.worker.registering import registration_of
from runfold.worker.service import Worker as InnerWorker

CONCURRENCY = 100
LOOK_SECONDS = 0.005
END_SECONDS = 30.0
"""More than a worker needs to stop whatever can be stopped."""


class Worker:
    """Runs async tasks on an event loop of its own, and all others in threads."""

    def __init__(self, tasks: Mapping[str, Task[Any, Any]], settings: Settings, freeze_seconds: float) -> None:
        self.tasks = tasks
        self._settings = settings
        self._freeze_seconds = freeze_seconds
        self._ahead_ms = 0
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="runfold worker", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.is_alive()

    def start(self, is_there: Callable[[], bool]) -> None:
        """Work from now on; returns as soon as it `is_there` for the engine. Raises what keeps it from working."""
        self._thread.start()
        while not is_there():
            if self._ended.done():
                self._ended.result()
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Give back what it has, and end. Raises what it ended of before, if it did."""
        if not self._ended.done():
            self._loop.result().call_soon_threadsafe(self._stop.set)
        try:
            self._ended.result(END_SECONDS)
        except TimeoutError:
            raise TimeoutError("There is a task that does not let itself be stopped.") from None
        self._thread.join()

    def _run(self) -> None:
        try:
            looping.run(self._work())
        except BaseException as error:  # noqa: BLE001 (it is for the thread of the test)
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _work(self) -> None:
        self._loop.set_result(asyncio.get_running_loop())
        http = connect()
        http.event_hooks["response"].append(self._note_time)
        connection = Connection(self._settings, registration_of(self.tasks.values(), promote=True), http=http)
        worker = InnerWorker(
            self.tasks,
            connection,
            Threads(self.tasks, CONCURRENCY),
            CONCURRENCY,
            freeze_seconds=self._freeze_seconds,
            clock=self._now,
        )
        await worker.run(self._stop, grace_seconds=0)

    async def _note_time(self, response: httpx.Response) -> None:
        self._ahead_ms = int(response.headers[NOW]) - now_ms()

    def _now(self) -> int:
        """What time it is for the engine: what the worker reports happens then."""
        return now_ms() + self._ahead_ms
