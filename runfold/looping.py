"""Event loops that go on whatever the code of users does on them.

An asyncio task that leaves by `sys.exit()`, and a callback whose error cannot even be logged, take the loop along on
which they are, and with it all else that is there.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("runfold")


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns, as by `asyncio.run`; Ctrl-C ends it, unless it has a handler for that of its own."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(main)
        while True:
            try:
                return loop.run_until_complete(task)
            except BaseException as error:
                if task.done() or loop.is_closed() or _is_ctrl_c(error):
                    raise
                _note_leave(error)


def run_forever(loop: asyncio.AbstractEventLoop) -> None:
    """Until the loop is stopped."""
    while True:
        try:
            loop.run_forever()
        except BaseException as error:  # noqa: BLE001 (nobody else hears of it)
            _note_leave(error)
        else:
            return


def _is_ctrl_c(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _note_leave(error: BaseException) -> None:
    with suppress(Exception):
        log.error("code of a task has left the event loop by %s; the loop goes on", type(error).__name__)
