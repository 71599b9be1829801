"""`runfold runs bulk`: many runs at once, with how far it is on standard error."""

import time
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

import runfold
from app.cli.filters import OfBatch, OfPeriod, OfQueue, OfSchedule, OfStatus, OfTag, OfTask, OfVersion, filters_of
from app.cli.output import AsJson, print_json, print_text
from runfold import BulkAction, BulkHandle
from runfold.bulk import BulkCounts
from runfold.counting import counted
from runfold.filters import RunFilters

POLL_SECONDS = 0.5

cli = typer.Typer(no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Their ids; or say by options which ones.")]
Name = Annotated[str | None, typer.Option("--name", help="What to call the action in lists.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the id of the action and leave it to the engine.")]


@cli.callback()
def many() -> None:
    """Cancel or replay many runs, named by their ids or by the filters of `runfold runs list`."""


@cli.command()
def cancel(
    runs: Ids = None,
    status: OfStatus = None,
    task: OfTask = None,
    tag: OfTag = None,
    queue: OfQueue = None,
    version: OfVersion = None,
    batch: OfBatch = None,
    schedule: OfSchedule = None,
    period: OfPeriod = None,
    name: Name = None,
    no_wait: NoWait = False,  # noqa: FBT002 (a switch of the command line)
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Stop many runs; those that have ended stay as they are."""
    filters = filters_of(status, task, tag, queue, version, batch, period, schedule)
    _do(runfold.runs.bulk_cancel, runs, filters, name, no_wait=no_wait, as_json=as_json)


@cli.command()
def replay(
    runs: Ids = None,
    status: OfStatus = None,
    task: OfTask = None,
    tag: OfTag = None,
    queue: OfQueue = None,
    version: OfVersion = None,
    batch: OfBatch = None,
    schedule: OfSchedule = None,
    period: OfPeriod = None,
    name: Name = None,
    no_wait: NoWait = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a new run of each of many."""
    filters = filters_of(status, task, tag, queue, version, batch, period, schedule)
    _do(runfold.runs.bulk_replay, runs, filters, name, no_wait=no_wait, as_json=as_json)


def _do(
    start: Callable[..., BulkHandle],
    runs: list[str] | None,
    filters: RunFilters,
    name: str | None,
    *,
    no_wait: bool,
    as_json: bool,
) -> None:
    is_filtered = any(value is not None for value in filters.values())
    if bool(runs) == is_filtered:
        raise typer.BadParameter("Say which runs are meant: either by their ids, or by options such as --status.")
    handle = start(ids=runs, name=name) if runs else start(filters=filters, name=name)
    if no_wait:
        if as_json:
            print_json({"id": handle.id})
        else:
            print_text(handle.id)
        return
    done = _follow(handle)
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        print_text(f"{handle.id} is {_sentence(done)}")
    raise typer.Exit(0 if done.status == "COMPLETED" and not done.counts.failure else 1)


def _follow(handle: BulkHandle) -> BulkAction:
    """How it ended. What changes on the way is told on standard error, so that the output is the end alone."""
    typer.echo(f"{handle.id} is under way, and goes on if you stop waiting", err=True)
    told = BulkCounts()
    while (now := handle.retrieve()).status == "PENDING":
        if now.counts != told:
            typer.echo(_sentence(now), err=True)
            told = now.counts
        time.sleep(POLL_SECONDS)
    return now


def _sentence(action: BulkAction) -> str:
    done, did = action.counts, "canceled" if action.type == "CANCEL" else "replayed"
    why = f" ({action.error})" if action.error else ""
    return f"{action.status}: {done.success} of {counted(done.total, 'run')} {did}, {done.failure} could not be{why}"
