"""`runfold runs`: the same HTTP API that everybody uses, through the SDK."""

from itertools import islice
from typing import Annotated

import typer

import runfold
from app.cli import api, bulk, logs, views
from app.cli.filters import AsOf, OfBatch, OfPeriod, OfQueue, OfSchedule, OfStatus, OfTag, OfTask, OfVersion, filters_of
from app.cli.journal import print_journal
from app.cli.making import replay, trigger
from app.cli.output import AsJson, print_json, print_text

PAGE_MAX = 100

cli = typer.Typer(no_args_is_help=True)
cli.add_typer(bulk.cli, name="bulk")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")]


@cli.callback()
def connect() -> None:
    """Look at runs and steer them, on any engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_runs(
    status: OfStatus = None,
    task: OfTask = None,
    tag: OfTag = None,
    queue: OfQueue = None,
    version: OfVersion = None,
    batch: OfBatch = None,
    schedule: OfSchedule = None,
    period: OfPeriod = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List runs, newest first."""
    filters = filters_of(status, task, tag, queue, version, batch, period, schedule)
    filters["limit"] = min(limit, PAGE_MAX)
    found = runfold.runs.list(as_of=as_of, **filters)
    runs = [*islice(found, limit)]
    if as_json:
        print_json([views.plain(run) for run in runs])
    else:
        views.print_runs(runs)


@cli.command()
def show(
    run: RunId,
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show a run with its attempts, payload and output, what its code did (steps, children, waits) and logged last."""
    shown, journal = runfold.runs.retrieve(run, as_of=as_of), runfold.runs.journal(run, as_of=as_of)
    if as_json:
        print_json(views.plain(shown) | ({"journal": journal} if journal else {}))
        return
    views.print_run(shown)
    if journal:
        print_text("")
        print_journal(journal)
    logs.print_last(run, as_of)


cli.command()(trigger)
cli.command()(replay)
cli.command()(logs.logs)


@cli.command()
def cancel(
    run: RunId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Stop a run; one that has ended stays as it is."""
    runfold.runs.cancel(run)
    stopped = runfold.runs.retrieve(run)
    if as_json:
        print_json(views.plain(stopped))
    else:
        print_text(f"{stopped.id} is {stopped.status}")


@cli.command()
def tag(
    run: RunId,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="What to add to the tags it has.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Add tags to a run; prints all that it has then."""
    runfold.runs.add_tags(run, *tags)
    has = runfold.runs.retrieve(run).tags
    if as_json:
        print_json(has)
    else:
        print_text(" ".join(has))


@cli.command()
def events(
    run: RunId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show everything that ever happened to a run, in order."""
    history = runfold.runs.events(run)
    if as_json:
        print_json(history)
    else:
        views.print_events(history)
