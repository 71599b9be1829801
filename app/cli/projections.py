"""`runfold projections`: the read models against the ledger, on the database itself, with or without an engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adapters.signing import public_key
from app import settings
from app.cli.files import read
from app.cli.output import AsJson, print_json, print_table, print_text
from app.engine.backends import beside_an_engine, opener_of
from app.engine.rebuild import rebuild as make_anew
from app.history.checkpoints import CheckpointFile, check_signature, read_checkpoint
from app.history.checkpoints import misfits as find_misfits
from app.history.hands import hands
from app.history.verify import Report
from app.history.verify import verify as compare

cli = typer.Typer(no_args_is_help=True, help="Compare the read models with the ledger, or make them anew from it.")


@cli.command()
def rebuild(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Make all read models anew from the ledger, if its hashes are right; a running engine goes on."""
    with beside_an_engine(settings.load()) as database:
        head = make_anew(database.ledger, database.read_models, verifies=True)
    if as_json:
        print_json({"position": head.position})
    else:
        print_text(f"The read models are made anew, up to event {head.position}.")


@cli.command()
def verify(
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many share the work; by default one for each core.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint: say also whether the ledger is the one that was signed.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The public key of whoever signed the checkpoint.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Check the whole ledger, and each row of the read models against it; fails if anything is wrong or differs."""
    if (checkpoint is None) is not (key is None):
        raise typer.BadParameter("--checkpoint takes --key with a public key, and the other way round.")
    signed = _signed(checkpoint, key) if checkpoint and key else None
    found = settings.load()
    with (
        beside_an_engine(found) as database,
        hands(opener_of(found), database.ledger.head().position, processes) as shared,
    ):
        report = compare(database.ledger, database.read_models, shared)
        misfits = list(find_misfits(database.ledger, signed)) if signed else []
    if as_json:
        told = {"position": signed.checkpoint.position, "faults": misfits} if signed else None
        print_json({"holds": report.holds and not misfits, **msgspec.to_builtins(report), "checkpoint": told})
    else:
        _print(report)
        _print_misfits(signed, misfits)
    if not report.holds or misfits:
        raise typer.Exit(1)


def _signed(checkpoint: Path, key: Path) -> CheckpointFile:
    file = read_checkpoint(read(checkpoint))
    check_signature(file.checkpoint, public_key(key))
    return file


def _print_misfits(signed: CheckpointFile | None, misfits: list[str]) -> None:
    for sentence in misfits:
        print_text(sentence)
    if signed and not misfits:
        position, at = signed.checkpoint.position, signed.checkpoint.signed_at
        print_text(f"Up to event {position} the ledger is the one that was signed at {at}.")


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
        cure = "" if report.ledger_faults else ": rebuild them"
        yield f"The read models were written in another shape, so no row was compared{cure}."
    elif not report.rows:
        yield "No row was compared: of a ledger that is damaged like this none can be made."
    yield from map(str, report.differences)
    if report.differences_total:
        yield f"Differences: {report.differences_total}. {_cure(report)}"


def _cure(report: Report) -> str:
    if report.ledger_faults:
        return "The ledger itself is damaged: restore it from a backup before the read models are made anew."
    return "`runfold projections rebuild` makes the read models anew."
