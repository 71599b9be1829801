"""`runfold batches`: what became of the items of a batch."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import typer

import runfold
from app.cli import api, views
from app.cli.output import AsJson, duration, moment, print_fields, print_json, print_table, print_text
from runfold import Batch, RefusedItem, Run

PAGE_MAX = 100

cli = typer.Typer(no_args_is_help=True)


@cli.callback()
def connect() -> None:
    """Look at batches, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_batches(
    status: Annotated[
        str | None, typer.Option(help="Only PENDING, PROCESSING, PARTIAL_FAILED, COMPLETED or ABORTED ones.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List batches, newest first."""
    found = runfold.batches.list(status=status, limit=limit)
    if as_json:
        print_json(msgspec.to_builtins(found))
    elif not found:
        print_text("No batches.")
    else:
        rows = [(each.id, each.status, str(each.run_count), moment(each.created_at)) for each in found]
        print_table(("batch", "status", "items", "created"), rows)


@cli.command()
def show(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The id of a batch.")],
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Show a batch with its runs, and the items that became none."""
    found = runfold.batches.retrieve(batch)
    if as_json:
        print_json(_plain(found))
        return
    print_fields(_fields(found))
    if found.refused:
        print_text("")
        _print_refused(found.refused)
    if found.runs:
        print_text("")
        _print_runs(found)


def _plain(batch: Batch) -> dict[str, Any]:
    """A batch as the API writes it."""
    return {name: value for name, value in msgspec.to_builtins(batch).items() if value is not None}


def _fields(batch: Batch) -> Iterable[tuple[str, str]]:
    yield "batch", batch.id
    yield "status", batch.status
    yield "items", str(batch.run_count)
    yield "runs", str(len(batch.runs))
    yield "created", moment(batch.created_at)
    yield "completed", moment(batch.completed_at)
    yield "took", duration(batch.created_at, batch.completed_at)
    yield "idempotency key", batch.idempotency_key or ""


def _print_refused(items: Iterable[RefusedItem]) -> None:
    print_table(("item", "task", "no run, because"), [(str(each.index), each.task, each.error) for each in items])


def _print_runs(batch: Batch) -> None:
    """In the order of the items; a run that an idempotency key stood for is of another batch, so it is asked for."""
    own: dict[str, Run[Any, Any]] = {run.id: run for run in runfold.runs.list(batch=batch.id, limit=PAGE_MAX)}
    views.print_runs([own.get(run) or runfold.runs.retrieve(run) for run in batch.runs])
