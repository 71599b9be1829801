"""`runfold ledger events`: who did what, as a table, or as lines of JSON for auditors."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli import api
from app.cli.output import print_json_line, print_text

PAGE = 1_000


class Format(StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"


def events(
    actor: Annotated[list[str] | None, typer.Option(help="Only what these did: key:7f3a…, or all: key:.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only events of these types.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only events of runs of these tasks.")] = None,
    run: Annotated[str | None, typer.Option(help="Only events of this run, or of what else has this id.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Recorded at this ISO 8601 date or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Recorded before this ISO 8601 date.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only behind this position.")] = 0,
    upto: Annotated[int | None, typer.Option(min=0, help="Only up to this position.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="A table, or one JSON object a line.")] = Format.TABLE,
) -> None:
    """Tell who did what and why in the environment, in order, on the engine that RUNFOLD_API_URL names."""
    api.connect()
    asked = {
        "actor": _joined(actor),
        "type": _joined(type_),
        "task": _joined(task),
        "run": run,
        "from": since,
        "to": until,
        "upto": None if upto is None else str(upto),
        "format": "cloudevents" if format_ is Format.CLOUDEVENTS else None,
    }
    looked = after
    for found, last in _pages(after, {name: value for name, value in asked.items() if value is not None}):
        looked = last
        for event in found:
            if format_ is Format.TABLE:
                print_text(_line(event))
            else:
                print_json_line(event)
    typer.echo(f"Looked through up to event {looked}.", err=True)


def _pages(after: int, asked: dict[str, str]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """What each page found, and how far it looked.

    It ends at the head that the first page tells of: an engine that is busy is not run after.
    """
    while True:
        page = api.call("GET", "ledger", "events", **asked, after=str(after), limit=str(PAGE))
        last = min(page["head"], int(asked.setdefault("upto", str(page["head"]))))
        after = min(page["next"], last)
        yield page["events"], after
        if after == last:
            return


def _line(event: dict[str, Any]) -> str:
    when = api.date_of(event, "recordedAt")
    what = f"{event['type']:20}  {event['id']:36}"
    return f"{event['position']:>8}  {when}  {event['actor']:20}  {what}  {event['cause']}"


def _joined(values: list[str] | None) -> str | None:
    return ",".join(values) if values else None
