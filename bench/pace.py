"""Calls that are made when their time has come, however long the ones before take; only the standard library."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

PER_SECOND = 50


async def on_time(count: int, call: Callable[[int], Coroutine[Any, Any, object]]) -> list[float]:
    """Make so many calls, each with the nanosecond for which it was meant; how long each took, in milliseconds."""
    loop = asyncio.get_running_loop()
    took: list[float] = []

    async def one(scheduled: int) -> None:
        begun = time.perf_counter()
        await call(scheduled)
        took.append((time.perf_counter() - begun) * 1_000)

    def begin(scheduled: int) -> None:
        under_way.append(loop.create_task(one(scheduled)))
        if len(under_way) == count:
            all_begun.set()

    def beat() -> None:
        # A thread sleeps to the microsecond, an event loop to the millisecond.
        first = time.time_ns() + 100_000_000
        for number in range(count):
            scheduled = first + number * 1_000_000_000 // PER_SECOND
            time.sleep(max(0, scheduled - time.time_ns()) / 1e9)
            loop.call_soon_threadsafe(begin, scheduled)

    under_way: list[asyncio.Task[None]] = []
    all_begun = asyncio.Event()
    threading.Thread(target=beat, name="beat", daemon=True).start()
    async with asyncio.timeout(count / PER_SECOND + 30):
        await all_begun.wait()
        await asyncio.gather(*under_way)
    return took
