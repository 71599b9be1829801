"""The one bridge from synchronous code: coroutines run on one background event loop."""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import ismethod
from typing import Any, ParamSpec, TypeVar

from runfold import current
from runfold.looping import run_forever

P = ParamSpec("P")
T = TypeVar("T")


def blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The same function for callers that cannot await; called inside a running event loop it blocks that loop."""
    awaitable = _awaitable(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        caller = current.executor()
        journal = current.current_journal()
        is_held_up = journal is not None and current.is_awaited_on(journal.loop)
        # A journal lives where the code of its run awaits, which may be in another thread.
        loop = _background.loop() if journal is None or is_held_up else journal.loop
        where = current.standing()

        async def carry() -> T:
            nonlocal where
            with current.on_behalf_of(caller, instead_of=awaitable if is_held_up else None):
                try:
                    return await function(*args, **kwargs)
                finally:
                    where = current.standing()

        future = asyncio.run_coroutine_threadsafe(carry(), loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C while waiting: do not go on in the background
            raise
        finally:
            current.stand(where)

    return call


def _awaitable(function: Any) -> str:
    """How code that awaits calls it; methods are those of a task."""
    if ismethod(function):
        return f"task.aio.{function.__name__}"
    module = "runfold.aio.wait" if function.__module__ == "runfold.waits" else function.__module__
    return f"{module}.{function.__qualname__}"


class _Background:
    """A daemon thread with an event loop, started by the first call that needs it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        """After a fork the thread exists in the parent only, and the lock may be held by nobody."""
        self._starting = threading.Lock()
        self._loop = self._thread = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=run_forever, args=[self._loop], name="runfold", daemon=True)
                self._thread.start()
            return self._loop

    def stop(self) -> None:
        """Close connections in order, so that a program's end leaves no warnings."""
        with self._starting:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def background_loop() -> asyncio.AbstractEventLoop:
    """The event loop on which all that is called by `blocking` runs."""
    return _background.loop()


_background = _Background()
atexit.register(_background.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_background.forget)
