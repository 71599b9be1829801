"""`runfold ledger segments`: runs that have left the database."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app import settings
from app.cli.output import AsJson, print_json, print_table, print_text
from app.engine.backends import beside_an_engine
from app.keeping.archived import segment_of
from app.keeping.checked import checked_segment, events_of, unknown_segments
from app.keeping.segments import SUFFIX, Segment, WrongSegment, path_of
from app.settings import WrongSetting
from app.transfer.lines import BlobLine, EventLine, blobs_of, line_of
from domain.erasure import ERASURE
from domain.errors import NotFound
from domain.events import ErasureRecorded
from domain.ports import Ledger
from runfold.counting import counted

cli = typer.Typer(no_args_is_help=True, help="Runs that have left the database by age, in files.")


@cli.command("list")
def list_segments(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the segments that the ledger tells of, and whether their files are there, and files it does not tell of."""
    folder = _folder()
    with beside_an_engine(settings.load()) as database:
        found = _recorded(database.ledger)
        environments = database.ledger.streams_of("env")
        unknown = [file for each in environments for file in unknown_segments(database.ledger, folder, each)]
    rows = [
        (name, str(len(told.runs)), "yes" if path_of(folder / environment, name).is_file() else "no", "yes")
        for name, environment, told in found
    ]
    rows += [(file.name.removesuffix(SUFFIX), "", "yes", "no") for file in unknown]
    if as_json:
        print_json(
            [
                {"id": name, "runs": int(runs) if runs else None, "isThere": there == "yes", "isKnown": known == "yes"}
                for name, runs, there, known in rows
            ]
        )
    else:
        print_table(("segment", "runs", "file is there", "in the ledger"), rows)


@cli.command()
def verify() -> None:
    """Read every segment, and compare it with what the ledger tells of it."""
    folder = _folder()
    with beside_an_engine(settings.load()) as database:
        found = _recorded(database.ledger)
        wrong = 0
        for name, environment, _ in found:
            try:
                checked_segment(database.ledger, folder, environment, name)
            except WrongSegment as error:
                wrong += 1
                typer.echo(str(error), err=True)
    checked = counted(len(found), "segment is as it was written", "segments are as they were written")
    print_text(f"{len(found) - wrong} of {checked}.")
    raise typer.Exit(1 if wrong else 0)


@cli.command("export-run")
def export_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run that was archived.")],
) -> None:
    """Print the events of an archived run, as they were stored, with its large values: lines of an export."""
    folder = _folder()
    with beside_an_engine(settings.load()) as database:
        segment = segment_of(run, database.ledger, folder)
        if segment is None:
            raise NotFound(f"Run {run} is not archived.")
    for line in _lines_of(run, segment):
        sys.stdout.buffer.write(line)


def _lines_of(run: str, segment: Segment) -> list[bytes]:
    lines: list[bytes] = []
    for event in events_of(segment, run):
        lines.append(line_of(EventLine.of(event)))
        values = {key: ref for key, ref in blobs_of(event).items() if key in segment.blobs}
        lines += [line_of(BlobLine(key, ref.sha256, segment.blobs[key])) for key, ref in values.items()]
    return lines


def _recorded(ledger: Ledger) -> list[tuple[str, str, ErasureRecorded]]:
    """Each segment with its environment, and what the ledger tells of it."""
    first = [history[0] for _, history in sorted(ledger.read_kind(ERASURE).items())]
    told = ((each.stream, each.environment, each.event) for each in first)
    return [
        (name, environment, event)
        for name, environment, event in told
        if isinstance(event, ErasureRecorded) and event.segment is not None
    ]


def _folder() -> Path:
    folder = settings.load().segments_path
    if folder is None:
        raise WrongSetting("The setting RUNFOLD_SEGMENTS_FOLDER is not set: it names the folder of segments.")
    return folder
