"""`runfold events`: named events, and the runs that they have started."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from app.cli import api
from app.cli.filters import check_durations
from app.cli.making import json_of
from app.cli.output import FORMATS, AsJson, in_utc, moment, print_fields, print_json, print_table, print_text
from runfold import Event, EventRun, ListedEvent, events
from runfold.triggering import NOTHING

cli = typer.Typer(no_args_is_help=True)

EventId = Annotated[str, typer.Argument(metavar="ID", help="The id of an event.")]


@cli.callback()
def connect() -> None:
    """Send named events and look at them, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command()
def send(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What tasks and jobs are subscribed to.")],
    payload: Annotated[str | None, typer.Option(help="JSON for what it starts.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="The same id again starts nothing.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from; api, if left out.")] = None,
    context: Annotated[str | None, typer.Option(help="A JSON object that runs find in ctx.event.context.")] = None,
    delay: Annotated[str | None, typer.Option(help="Deliver it after this time, such as 1h30m.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Send an event; prints it with the runs that it has started."""
    check_durations(delay=delay)
    sent = events.send(
        name,
        NOTHING if payload is None else json_of(payload, "--payload"),
        id=event_id,
        source=source,
        context=None if context is None else _object_of(context),
        deliver=delay,
    )
    _tell(events.retrieve(sent), as_json=as_json)


@cli.command("list")
def list_events(
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=FORMATS, help="Sent then or later; in UTC without an offset."),
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=FORMATS, help="Sent then or before.")] = None,
    undelivered: Annotated[bool, typer.Option("--undelivered", help="Only those that are to be delivered.")] = False,  # noqa: FBT002
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List events, newest first."""
    span = {"start": start and in_utc(start), "end": end and in_utc(end)}
    found = events.list(name=name, undelivered=True if undelivered else None, limit=limit, **span)
    if as_json:
        print_json([_present(msgspec.to_builtins(event)) for event in found])
    elif not found:
        print_text("No events.")
    else:
        print_table(("event", "name", "status", "sent", "is due", "is stuck"), map(_listed, found))


@cli.command()
def show(
    event: EventId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show an event with the runs that it has started."""
    _tell(events.retrieve(event), as_json=as_json)


@cli.command()
def cancel(
    event: EventId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let an event that is not delivered yet start nothing."""
    _tell(events.retrieve(events.cancel(event)), as_json=as_json)


def _object_of(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except ValueError as error:
        raise typer.BadParameter(f"--context is no JSON object ({error}).") from error


def _tell(event: Event, *, as_json: bool) -> None:
    if as_json:
        told = msgspec.to_builtins(event)
        told["runs"] = [_present(run) for run in told["runs"]]
        print_json(_present(told))
        return
    print_fields(_fields(event))
    if event.runs:
        print_text("")
        print_table(("run", "task", "status", "started", "finished"), map(_row, event.runs))


def _present(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _row(run: EventRun) -> tuple[str, ...]:
    return (run.id, run.task or "", run.status or "", moment(run.started_at), moment(run.finished_at))


def _listed(event: ListedEvent) -> tuple[str, ...]:
    due = moment(event.deliver_at)
    return (event.id, event.name, event.status, moment(event.created_at), due, event.stuck or "")


def _fields(event: Event) -> Iterable[tuple[str, str]]:
    yield "event", event.id
    yield "name", event.name
    yield "status", event.status
    yield "source", event.source
    yield "happened", moment(event.timestamp)
    yield "sent", moment(event.created_at)
    yield "is due", moment(event.deliver_at)
    yield "delivered", moment(event.delivered_at)
    yield "canceled", moment(event.cancelled_at)
    yield "because", event.reason or ""
    yield "is stuck", event.stuck or ""
    yield "payload", "" if event.payload is None else msgspec.json.encode(event.payload).decode()
    yield "context", "" if event.context is None else msgspec.json.encode(event.context).decode()
