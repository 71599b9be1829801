"""`runfold schedules`: what runs by itself, what became of each tick, and the levers on it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from app.cli import api
from app.cli.filters import AsOf
from app.cli.output import FORMATS, AsJson, in_utc, moment, print_json, print_table, print_text
from runfold import ScheduleState, TickFate, schedules

cli = typer.Typer(no_args_is_help=True)

ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The id of a schedule.")]
NEXT_MAX = 1_000


@cli.callback()
def connect() -> None:
    """Look at schedules and steer them, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_schedules(
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the schedules of the environment, newest first."""
    found = schedules.list(as_of=as_of)
    if as_json:
        print_json(found)
    elif not found:
        print_text("No schedules.")
    else:
        _print(found)


@cli.command("next")
def next_ticks(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="Five fields of cron, in quotes.")],
    timezone: Annotated[str, typer.Option(help="An IANA time zone.")] = "UTC",
    limit: Annotated[int, typer.Option(min=1, max=NEXT_MAX, help="How many.")] = 10,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show when an expression is due next. It asks no engine."""
    from app.cli.calendar import explained_ticks  # noqa: PLC0415 (the calendar, which no other command needs)

    told, ticks = explained_ticks(expression, timezone)
    found = [*islice(ticks, limit)]
    if as_json:
        print_json({"description": told, "ticks": found})
        return
    print_text(told)
    rows = [(each["local"].replace("T", " "), each["timestamp"], each.get("rule", "")) for each in found]
    print_table(("local time", "moment", "moved by"), rows)


@cli.command()
def run(schedule: ScheduleId) -> None:
    """Let a schedule run now, beside its times, and print the id of the run."""
    print_text(schedules.run(schedule).id)


@cli.command()
def pause(
    schedule: ScheduleId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let a schedule pause; runs that there are go on."""
    _tell(schedules.deactivate(schedule), as_json=as_json)


@cli.command()
def resume(
    schedule: ScheduleId,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let a schedule go on; what was due while it paused is skipped."""
    _tell(schedules.activate(schedule), as_json=as_json)


@cli.command()
def audit(
    start: Annotated[
        datetime, typer.Option("--from", formats=FORMATS, help="The first moment; UTC unless it has an offset.")
    ],
    end: Annotated[datetime, typer.Option("--to", formats=FORMATS, help="The last moment.")],
    schedule: Annotated[
        list[str] | None, typer.Argument(metavar="[SCHEDULE]...", help="Ids of schedules; all, if left out.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Prove that each tick that was planned has one fate; ends with 1, and a list, when one has none."""
    named = schedule or [each.id for each in schedules.list()]
    reports = {each: schedules.ticks(each, in_utc(start), in_utc(end)) for each in named}
    if as_json:
        print_json(reports)
    else:
        rows = [(each, str(len(report.ticks)), _counted(report.ticks)) for each, report in reports.items()]
        print_table(("schedule", "ticks", "fates"), rows)
        for each, report in reports.items():
            for sentence in (*report.problems, *report.notes):
                print_text(f"{each}: {sentence}")
    if any(report.problems for report in reports.values()):
        raise typer.Exit(1)


@cli.command()
def backfill(
    schedule: ScheduleId,
    start: Annotated[
        datetime, typer.Option("--from", formats=FORMATS, help="The first moment; UTC unless it has an offset.")
    ],
    end: Annotated[datetime, typer.Option("--to", formats=FORMATS, help="The last moment.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make the runs of exactly those ticks that have none. It may be repeated."""
    made = schedules.backfill(schedule, in_utc(start), in_utc(end))
    if as_json:
        print_json(made)
    elif not made:
        print_text("Every tick has its run.")
    else:
        print_table(("run", "tick"), [(each.id, moment(each.timestamp)) for each in made])


def _counted(ticks: Sequence[TickFate]) -> str:
    fates = [each.fate or "none yet" for each in ticks]
    return ", ".join(f"{fates.count(fate)} {fate}" for fate in dict.fromkeys(fates))


def _tell(schedule: ScheduleState, *, as_json: bool) -> None:
    if as_json:
        print_json(schedule)
    else:
        _print([schedule])


def _print(found: Sequence[ScheduleState]) -> None:
    columns = ("schedule", "task", "", "timing", "zone", "next run", "last run")
    print_table(columns, [_row(each) for each in found])


def _row(each: ScheduleState) -> tuple[str, ...]:
    timing = each.generator.expression
    times = (moment(each.next_run), moment(each.last_run))
    return (each.id, each.task, "" if each.active else "paused", timing, each.timezone, *times)
