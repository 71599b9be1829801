"""`runfold deploy FILE_OR_MODULE`."""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from runfold import transport
from runfold.answers import read
from runfold.definition import Task
from runfold.errors import RunfoldError
from runfold.worker.loading import TargetError, load_or_explain
from runfold.worker.registering import registration_of
from runfold.worker.wire import Registered


def main(argv: Sequence[str] | None = None) -> int:
    """Make a version of the tasks that a file or a module defines, and say its name; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        tasks = load_or_explain(arguments.target)
        registered = asyncio.run(register(tasks.values(), promote=not arguments.no_promote))
    except (TargetError, RunfoldError) as error:
        print(f"runfold deploy: {error}", file=sys.stderr)  # noqa: T201 (said to the person at the command line)
        return 1
    where = registered.environment.slug
    what = f"is current in {where}" if registered.is_current else f"is there in {where}, but not promoted"
    print(registered.version)  # noqa: T201 (alone on standard output, for scripts)
    print(f"The version {registered.version} {what}. Tasks: {len(tasks)}.", file=sys.stderr)  # noqa: T201 (as above)
    return 0


async def register(tasks: Iterable[Task[Any, Any]], *, promote: bool) -> Registered:
    """Tell the engine these tasks, without working for it; raises ApiError or ApiConnectionError."""
    body = registration_of(tasks, promote=promote)
    answer = await transport.default.call("POST", "/worker/v1/register", body=body)
    return read(answer, Registered)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runfold deploy", description="Make the tasks that a file or a module defines the current version."
    )
    parser.add_argument("target", metavar="FILE_OR_MODULE", help="jobs.py or shop.jobs")
    parser.add_argument(
        "--no-promote", action="store_true", help="make a version for runs that are locked to it, and no other"
    )
    return parser
