"""The thread in which an engine calls its ledger."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Committer:
    """Does one thing after the other, and tells the event loop that asked.

    An executor of the standard library does the same with locks and two futures for each, which nobody needs here: they
    take an engine that had nothing to do before 0.1 ms from a trigger to its start.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Call this in the thread. What nobody awaits any more is done all the same."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="committer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 (whoever asked decides about it)
                loop.call_soon_threadsafe(_fail, done, error)
            else:
                loop.call_soon_threadsafe(_succeed, done, result)

        self._asked.put(call)
        return done

    def shutdown(self) -> None:
        """End when all that was asked for is done, and wait for that."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (call := self._asked.get()) is not None:
            call()
            del call  # its events are not kept until the next one comes


def _succeed(done: "asyncio.Future[T]", result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: "asyncio.Future[Any]", error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
