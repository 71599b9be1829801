"""`runfold worker FILE_OR_MODULE`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from runfold import looping
from runfold.config import current_settings
from runfold.definition import Task
from runfold.errors import ApiError, ConfigurationError
from runfold.machines import MACHINES
from runfold.worker.apart import keep_apart
from runfold.worker.children import ChildError, Children
from runfold.worker.connection import Connection, variables_at_once
from runfold.worker.holding import FREEZE_SECONDS
from runfold.worker.loading import TargetError, find, load_or_explain
from runfold.worker.logs import log_to_stdout
from runfold.worker.registering import registration_of
from runfold.worker.service import Worker
from runfold.worker.tracing import set_up_tracing

log = logging.getLogger("runfold.worker")

ASYNC_CONCURRENCY = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker until it is told to stop; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        find(arguments.target)
        # The code of the tasks may look at them as soon as it is imported; but it may also say where the engine is.
        _add_variables(asyncio.run(variables_at_once()))
        tasks = load_or_explain(arguments.target)
        # What is there by now stays. The collector of garbage would walk all of it again and again.
        gc.freeze()
        log_to_stdout()
        promote = False if arguments.no_promote else None
        connection = Connection(current_settings(), registration_of(tasks.values(), promote=promote))
        return looping.run(_run(tasks, connection, arguments))
    except (TargetError, ConfigurationError, ApiError, ChildError) as error:
        print(f"runfold worker: {error}", file=sys.stderr)  # noqa: T201 (said to the person at the command line)
        return 1


def _add_variables(variables: Mapping[str, str]) -> None:
    """What the environment has for its workers, unless the worker's own has it."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


async def _run(tasks: Mapping[str, Task[Any, Any]], connection: Connection, arguments: argparse.Namespace) -> int:
    _add_variables(await connection.variables())
    processes = arguments.processes or os.cpu_count() or 1
    concurrency = arguments.concurrency or _default_concurrency(tasks, processes)
    spans = set_up_tracing()
    children = Children(arguments.target, processes)
    worker = Worker(tasks, connection, children, concurrency, spans, arguments.machine or (), arguments.freeze_after)
    stop = _stop_on_signals()
    # From here on it is ended by the signals, and by nobody else who is on its event loop.
    if main := asyncio.current_task():
        keep_apart(main)
    try:
        is_all_reported = await worker.run(stop, arguments.grace)
    finally:
        if spans is not None:
            spans.close()
    if worker.has_runaways:
        _exit_at_once(0 if is_all_reported else 1)
    return 0 if is_all_reported else 1


def _default_concurrency(tasks: Mapping[str, Task[Any, Any]], processes: int) -> int:
    """Runs that could only wait for a process are better left to other workers."""
    return ASYNC_CONCURRENCY if any(task.body.is_async for task in tasks.values()) else processes


def _stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            log.warning("stopping at once")
            _exit_at_once(1)
        stop.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, on_signal)
    return stop


def _exit_at_once(code: int) -> NoReturn:
    """Without waiting for code that still runs; child processes end when they see that the worker is gone."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runfold worker", description="Run the tasks that a file or a module defines."
    )
    parser.add_argument("target", metavar="FILE_OR_MODULE", help="jobs.py or shop.jobs")
    parser.add_argument(
        "--concurrency",
        type=_count,
        help=f"runs at once (default: {ASYNC_CONCURRENCY}, or the number of processes if no task is async)",
    )
    parser.add_argument("--processes", type=_count, help="processes for tasks that are not async (default: CPUs)")
    parser.add_argument(
        "--grace", type=float, default=30.0, metavar="SECONDS", help="time for runs to end when stopped (default: 30)"
    )
    parser.add_argument(
        "--freeze-after",
        type=float,
        default=FREEZE_SECONDS,
        metavar="SECONDS",
        help=f"how long a run that waits keeps its process (default: {FREEZE_SECONDS:g})",
    )
    parser.add_argument(
        "--machine",
        action="append",
        choices=MACHINES,
        help="take runs for this machine, and those for none; may be repeated (default: runs for all machines)",
    )
    parser.add_argument(
        "--no-promote", action="store_true", help="leave the current version as it is, when this code is a new one"
    )
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is less than 1")
    return count
