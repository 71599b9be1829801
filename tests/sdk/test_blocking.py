"""Synchronous calls on top of coroutines."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runfold.blocking import blocking

AGAIN_SECONDS = 5
"""Far more than an interrupted call takes to end."""


async def thread_of(number: int) -> tuple[int, str]:
    """Where coroutines run."""
    await asyncio.sleep(0)
    return number, threading.current_thread().name


def test_all_calls_share_one_background_thread() -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(blocking(thread_of), range(20)))

    assert results == [(number, "runfold") for number in range(20)]
    assert blocking(thread_of).__doc__ == "Where coroutines run."


async def test_a_call_inside_a_running_event_loop_works() -> None:
    assert blocking(thread_of)(1) == (1, "runfold")


def test_an_error_reaches_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        blocking(fail)()


def test_an_interrupted_call_does_not_go_on_in_the_background() -> None:
    began, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def interrupt() -> None:
        began.wait()
        frames = sys._current_frames  # pyright: ignore[reportPrivateUsage]  # there is no other look at a thread
        while frames()[threading.main_thread().ident or 0].f_code.co_name != "wait":
            """Until the caller waits for its answer."""
        # A signal that comes just before a thread goes to sleep does not wake it; a person would press again.
        while not ended.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            ended.wait(AGAIN_SECONDS)

    # A shell that starts the tests in the background has them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            blocking(wait)()
    finally:
        signal.signal(signal.SIGINT, before)

    assert ended.wait(timeout=20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_works_after_a_fork_and_ends_without_a_word() -> None:
    program = """
import asyncio, os
from runfold.blocking import blocking

async def double(number):
    await asyncio.sleep(0)
    return 2 * number

assert blocking(double)(1) == 2
child = os.fork()
assert blocking(double)(2) == 4
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    # -X dev names everything that is left open at the end.
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, b"")
