"""`runfold projections`: the read models against the ledger, on the database itself, with or without an engine."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec
import typer

from app import settings
from app.cli.output import AsJson, print_json, print_table, print_text
from app.engine.backends import beside_an_engine
from app.engine.rebuild import rebuild as make_anew
from app.history.hands import hands
from app.history.verify import Report
from app.history.verify import verify as compare

cli = typer.Typer(no_args_is_help=True, help="Compare the read models with the ledger, or make them anew from it.")


@cli.command()
def rebuild(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Make all read models anew from the ledger; a running engine goes on."""
    with beside_an_engine(settings.load()) as database:
        head = make_anew(database.ledger, database.read_models)
    if as_json:
        print_json({"position": head.position})
    else:
        print_text(f"The read models are made anew, up to event {head.position}.")


@cli.command()
def verify(
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many share the work; by default one for each core.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Check the whole ledger, and each row of the read models against it; fails if anything is wrong or differs."""
    found = settings.load()
    with (
        beside_an_engine(found) as database,
        hands(partial(beside_an_engine, found), database.ledger.head().position, processes) as shared,
    ):
        report = compare(database.ledger, database.read_models, shared)
    if as_json:
        print_json({"holds": report.holds, **msgspec.to_builtins(report)})
    else:
        _print(report)
    if not report.holds:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    if report.rows:
        print_table(("projection", "rows"), [(name, str(rows)) for name, rows in report.rows.items()])
    for sentence in _faults(report):
        print_text(sentence)
    if report.holds:
        print_text(
            f"The ledger is in order up to its last event, {report.head};"
            f" the read models equal it, row for row, at event {report.position}."
        )


def _faults(report: Report) -> Iterator[str]:
    yield from report.ledger_faults
    if not report.digest_matches:
        yield f"The read models follow another ledger: their event {report.position} is not the one in this ledger."
    if not report.shape_matches:
        yield "The read models were written in another shape, so no row was compared: rebuild them."
    elif not report.rows:
        yield "No row was compared: of a ledger that is damaged like this none can be made."
    yield from map(str, report.differences)
    if report.differences_total:
        yield f"Differences: {report.differences_total}. `runfold projections rebuild` makes the read models anew."
