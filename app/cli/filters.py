"""Which runs a command is about: the options that `runfold runs list` and `runfold runs bulk` share."""

from typing import Annotated

import typer

from runfold.durations import duration_ms
from runfold.filters import RunFilters

OfStatus = Annotated[list[str] | None, typer.Option("--status", help="Only these; may be repeated, as the others.")]
OfTask = Annotated[list[str] | None, typer.Option("--task", help="Only runs of these tasks.")]
OfTag = Annotated[list[str] | None, typer.Option("--tag", help="Only runs with one of these tags.")]
OfQueue = Annotated[list[str] | None, typer.Option("--queue", help="Only runs of these queues.")]
OfVersion = Annotated[list[str] | None, typer.Option("--version", help="Only runs of these versions of the code.")]
OfBatch = Annotated[str | None, typer.Option("--batch", help="Only runs of this batch.")]
OfSchedule = Annotated[str | None, typer.Option("--schedule", help="Only runs of the ticks of this schedule.")]
OfPeriod = Annotated[str | None, typer.Option("--period", help="Only runs created within this time, such as 1h or 7d.")]

AsOf = Annotated[str | None, typer.Option("--as-of", help="As it was: a position of the ledger, or an ISO 8601 date.")]


def filters_of(
    status: list[str] | None,
    task: list[str] | None,
    tag: list[str] | None,
    queue: list[str] | None,
    version: list[str] | None,
    batch: str | None,
    period: str | None,
    schedule: str | None = None,
) -> RunFilters:
    """The filters as the SDK takes them. Raises BadParameter."""
    check_durations(period=period)
    return {
        "status": _split(status),
        "task": _split(task),
        "tag": _split(tag),
        "queue": _split(queue),
        "version": _split(version),
        "batch": batch,
        "schedule": schedule,
        "period": period,
    }


def check_durations(**durations: str | None) -> None:
    """Raises BadParameter for what is no duration."""
    for name, text in durations.items():
        try:
            duration_ms(text or "0s")
        except ValueError as error:
            raise typer.BadParameter(f"--{name}: {error}.") from error


def _split(values: list[str] | None) -> list[str] | None:
    """Commas separate values too, as in the API."""
    return [part for value in values for part in value.split(",") if part] or None if values else None
