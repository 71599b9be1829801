"""`runfold runs`: the same HTTP API that everybody uses, through the SDK."""

from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

import runfold
from app import settings
from app.cli import views
from app.cli.output import AsJson, print_json, print_text
from runfold.durations import duration_ms
from runfold.triggering import NOTHING

PAGE_MAX = 100
WAIT_SECONDS = 0.2

cli = typer.Typer(no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")]


@cli.callback()
def connect() -> None:
    """Look at runs and steer them, on any engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    found = settings.load()
    runfold.configure(api_url=found.address, secret_key=found.secret_key)


@cli.command("list")
def list_runs(
    status: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated, as the other filters.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only runs of these tasks.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with one of these tags.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only runs of these queues.")] = None,
    version: Annotated[list[str] | None, typer.Option(help="Only runs of these versions of the code.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only runs of this batch.")] = None,
    period: Annotated[str | None, typer.Option(help="Only runs created within this time, such as 1h or 7d.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List runs, newest first."""
    _check_durations(period=period)
    found = runfold.runs.list(
        status=_split(status),
        task=_split(task),
        tag=_split(tag),
        queue=_split(queue),
        version=_split(version),
        batch=batch,
        period=period,
        limit=min(limit, PAGE_MAX),
    )
    runs = [*islice(found, limit)]
    if as_json:
        print_json([views.plain(run) for run in runs])
    else:
        views.print_runs(runs)


@cli.command()
def show(
    run: RunId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show a run with its attempts, payload and output."""
    _print(runfold.runs.retrieve(run), as_json=as_json)


@cli.command()
def trigger(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The id of a task.")],
    payload: Annotated[str | None, typer.Argument(metavar="PAYLOAD", help="JSON; left out for tasks without.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag of the run; may be repeated.")] = None,
    delay: Annotated[str | None, typer.Option(help="Start no earlier than after this time, such as 30s or 1h.")] = None,
    ttl: Annotated[str | None, typer.Option(help="Expire the run if it has not started by then.")] = None,
    queue: Annotated[str | None, typer.Option(help="Another queue than that of the task.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key again names the same run.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; fail unless it is COMPLETED.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a run of a task."""
    _check_durations(delay=delay, ttl=ttl)
    handle = runfold.tasks.trigger(
        task, _payload(payload), tags=tag, delay=delay, ttl=ttl, queue=queue, idempotency_key=idempotency_key
    )
    if wait:
        run = runfold.runs.poll(handle, interval=WAIT_SECONDS)
        _print(run, as_json=as_json)
        raise typer.Exit(0 if run.is_success else 1)
    if as_json:
        print_json({"id": handle.id, "isCached": handle.is_cached})
    else:
        print_text(handle.id)


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
def replay(
    run: RunId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a new run with the payload and tags of this one; prints its id."""
    made = runfold.runs.replay(run)
    if as_json:
        print_json({"id": made.id})
    else:
        print_text(made.id)


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


def _print(run: runfold.Run[Any, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(views.plain(run))
    else:
        views.print_run(run)


def _payload(text: str | None) -> Any:
    if text is None:
        return NOTHING
    try:
        return msgspec.Raw(msgspec.json.format(text.encode(), indent=-1))
    except ValueError as error:
        raise typer.BadParameter(f"PAYLOAD is no JSON ({error}); a text needs its quotes: '\"text\"'.") from error


def _check_durations(**durations: str | None) -> None:
    for name, text in durations.items():
        try:
            duration_ms(text or "0s")
        except ValueError as error:
            raise typer.BadParameter(f"--{name}: {error}.") from error


def _split(values: list[str] | None) -> list[str] | None:
    """Commas separate values too, as in the API."""
    return [part for value in values for part in value.split(",") if part] if values else None
