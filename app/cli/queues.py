"""`runfold queues`: how much runs and waits in each, and the levers on them."""

from collections.abc import Sequence
from typing import Annotated

import typer

import runfold
from app.cli import api
from app.cli.filters import AsOf
from app.cli.output import AsJson, print_json, print_table, print_text
from runfold import QueueState
from runfold.aio.queues import OF_TASK

cli = typer.Typer(no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="QUEUE", help="Its name; the queue that a task has for itself is task/ID.")
]


@cli.callback()
def connect() -> None:
    """Look at queues and steer them, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_queues(
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the queues of the environment by their names."""
    found = runfold.queues.list(as_of=as_of)
    if as_json:
        print_json(found)
    elif not found:
        print_text("No queues.")
    else:
        _print(found)


@cli.command()
def pause(
    queue: Name,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let no run of a queue start; those that run go on."""
    _tell(runfold.queues.pause(queue), as_json=as_json)


@cli.command()
def resume(
    queue: Name,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let the runs of a queue start again."""
    _tell(runfold.queues.resume(queue), as_json=as_json)


@cli.command()
def override(
    queue: Name,
    limit: Annotated[int, typer.Argument(metavar="LIMIT", min=0, help="How many of its runs may be open at once.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Put another concurrency limit in the place of the one that the code says, until it is reset."""
    _tell(runfold.queues.override(queue, limit), as_json=as_json)


@cli.command()
def reset(
    queue: Name,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let the concurrency limit count that the code says."""
    _tell(runfold.queues.reset_override(queue), as_json=as_json)


def _tell(queue: QueueState, *, as_json: bool) -> None:
    if as_json:
        print_json(queue)
    else:
        _print([queue])


def _print(queues: Sequence[QueueState]) -> None:
    columns = ("queue", "", "running", "queued", "limit")
    print_table(columns, [_row(each) for each in queues])


def _row(queue: QueueState) -> tuple[str, ...]:
    name = OF_TASK + queue.name if queue.type == "task" else queue.name
    return (name, "paused" if queue.paused else "", str(queue.running), str(queue.queued), _limit(queue))


def _limit(queue: QueueState) -> str:
    """The one that counts, and what it stands in for."""
    limit = "none" if queue.concurrency_limit is None else str(queue.concurrency_limit)
    if queue.concurrency is None or queue.concurrency.overridden_at is None:
        return limit
    base = "none" if queue.concurrency.base is None else str(queue.concurrency.base)
    return f"{limit} (overridden; the code says {base})"
