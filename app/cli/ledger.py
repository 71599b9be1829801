"""`runfold ledger`: who did what, and the whole history out of one database and into another."""

import gzip
import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from adapters.clock import SystemClock
from adapters.folders import sync_folder
from adapters.signing import make_keys, private_key
from app import settings
from app.cli import audit, projections, segments
from app.cli.files import read
from app.engine.backends import Database, beside_an_engine, open_database, open_lease
from app.engine.rebuild import rebuild
from app.history.checkpoints import WrongCheckpoint, make_checkpoint, misfits, read_checkpoint
from app.history.verify import verify
from app.settings import Settings
from app.transfer.copying import header_of, restore, write_export
from app.transfer.lines import File, Totals, WrongExport
from app.transfer.reading import Reader
from domain.errors import Unavailable
from domain.ports import Head
from runfold.counting import counted

STANDARD = "-"
_GZIP_LEVEL = 6

cli = typer.Typer(no_args_is_help=True, help="The whole history: who did what, and copies of it.")
cli.command()(audit.events)
cli.command()(projections.verify)
cli.add_typer(segments.cli, name="segments")


@cli.command("export")
def export_ledger(
    file: Annotated[str, typer.Argument(metavar="FILE", help="- is standard output; .gz at the end compresses.")],
    after: Annotated[int, typer.Option(min=0, help="Only the events behind this position.")] = 0,
) -> None:
    """Write all events and large values to a file, as they are now; a running engine goes on."""
    with beside_an_engine(settings.load()) as database:
        header = header_of(database.ledger, after)
        with _written(file) as target, _progress("Exporting", header.head.position, file) as noticed:
            totals = write_export(header, database.ledger, target, noticed)
    typer.echo(f"Exported {_told(totals)}, up to event {header.head.position}.", err=file == STANDARD)


@cli.command("import")
def import_ledger(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `export` wrote; - is standard input.")],
) -> None:
    """Fill an empty ledger from a file, verify it, and make the read models; go on where an import was interrupted."""
    with _read(file) as source:
        export = Reader(source)  # Before a database is made: the file may be none of ours.
        found = settings.load()
        with closing(open_database(found)) as database:
            with _right_to_write(found) as keep, _progress("Importing", export.header.head.position) as noticed:

                def reached(position: int) -> None:
                    keep()
                    noticed(position)

                head = restore(export, database.ledger, reached)
            typer.echo(f"The ledger has {_told(export.totals)} of the file, up to event {head.position}.")
            _make_read_models(database, head)


@cli.command("signing-key")
def signing_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new one; the public key is written to FILE.pub.")],
) -> None:
    """Make a key to sign checkpoints with. Keep it off the database; give the public key to whoever is to check."""
    typer.echo(f"The key is in {file}, the public one in {make_keys(file)}.")


@cli.command("checkpoint")
def checkpoint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To be kept where nobody who can write events can.")],
    key: Annotated[Path, typer.Option(help="The private key, as `signing-key` makes it.")],
) -> None:
    """Verify the ledger as it is now, and sign its head; a running engine goes on.

    A checkpoint that is in FILE is replaced only if the ledger is the one that was signed there.
    """
    signer = private_key(key)
    before = read_checkpoint(read(file)) if file.exists() else None
    with beside_an_engine(settings.load()) as database:
        if before and (wrong := next(misfits(database.ledger, before), None)):
            raise WrongCheckpoint(f"{file} stays as it is, for the ledger is not the one that it tells of. {wrong}")
        head = database.ledger.head()
        with _progress("Verifying", head.position) as noticed:
            made = make_checkpoint(database.ledger, signer, SystemClock().now().wall, noticed)
    with _written(str(file)) as target:
        target.write(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    typer.echo(f"The ledger is as it was appended, up to event {made.checkpoint.position}, which {file} says signed.")


def _make_read_models(database: Database, head: Head) -> None:
    rebuild(database.ledger, database.read_models)
    if not verify(database.ledger, database.read_models).holds:
        typer.echo("The read models are not as the ledger tells: `runfold projections verify` says where.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Its hashes are right, up to {head.digest.hex()}; the read models are made anew and equal it.")


@contextmanager
def _right_to_write(found: Settings) -> Generator[Callable[[], None]]:
    """Held while the import appends; whoever calls what this yields keeps it. Raises Unavailable if another has it.

    A file has no lease: whoever opened it has the right.
    """
    lease = open_lease(found, found.address)
    if lease is None:
        yield lambda: None
        return

    def keep() -> None:
        if not lease.take():
            raise Unavailable(f"Another node writes to this database: {lease.holder()}. Stop it and import again.")

    with closing(lease):
        keep()
        try:
            yield keep
        finally:
            lease.release()


@contextmanager
def _written(file: str) -> Generator[File]:
    """A file that has its name only when it is whole."""
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{file}.part")
    try:
        with part.open("wb") as plain:
            if file.endswith(".gz"):
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, plain, mtime=0) as packed:
                    yield packed
            else:
                yield plain
            plain.flush()
            os.fsync(plain.fileno())
        part.replace(file)
        sync_folder(part.parent)
    except OSError as error:
        raise WrongExport(f"The export {file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _read(file: str) -> Generator[File]:
    if file == STANDARD:
        yield sys.stdin.buffer
        return
    if not Path(file).is_file():
        raise typer.BadParameter(f"There is no file {file}.")
    with ExitStack() as opened:
        try:
            plain = opened.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise WrongExport(f"The export {file} cannot be read: {error.strerror}.") from error
        yield gzip.GzipFile(fileobj=plain) if file.endswith(".gz") else plain


@contextmanager
def _progress(what: str, last: int, file: str = "") -> Generator[Callable[[int], None]]:
    """For people who watch; two bars on one terminal would overwrite each other, so the end of a pipe has it."""
    is_shown = sys.stderr.isatty() and file != STANDARD
    with Progress(console=Console(stderr=True), disable=not is_shown, transient=True) as progress:
        bar = progress.add_task(what, total=last)
        yield lambda position: progress.update(bar, completed=position)


def _told(totals: Totals) -> str:
    missing = f" ({totals.missing_blobs} more were erased)" if totals.missing_blobs else ""
    return f"{counted(totals.events, 'event')} and {counted(totals.blobs, 'large value')}{missing}"
