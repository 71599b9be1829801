"""`runfold prove`: what happened to a run, told so that nobody has to believe it."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adapters.signing import public_key
from app import settings
from app.cli.files import read
from app.cli.output import print_table, print_text
from app.engine.backends import beside_an_engine
from app.history.checkpoints import read_checkpoint
from app.history.proofs import Proof, check_proof
from app.history.proofs import prove as make_proof
from app.keeping.archived import segment_of
from app.keeping.checked import events_of
from runfold.counting import counted


def prove(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run whose events are to be proved.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="What `runfold ledger checkpoint` wrote: the proof ends there.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check this proof instead. No engine and no database is asked.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="To check: the public key of whoever signed.")] = None,
) -> None:
    """Print a proof of a run's events as JSON; or check one, with `--check` and `--key`, wherever you are."""
    if check is not None:
        if key is None or run is not None or checkpoint is not None:
            raise typer.BadParameter("--check takes --key with a public key, and nothing else.")
        _tell(check_proof(read(check), public_key(key)))
        return
    if run is None or checkpoint is None or key is not None:
        raise typer.BadParameter("Name a run and a --checkpoint, or a proof to --check.")
    file = read_checkpoint(read(checkpoint))
    found = settings.load()
    with beside_an_engine(found) as database:
        segment = segment_of(run, database.ledger, found.segments_path)
        archived = {event.position: event for event in events_of(segment, run)} if segment else {}
        proof = make_proof(run, database.ledger, file, archived)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(proof), indent=1).decode() + "\n")


def _tell(proof: Proof) -> None:
    rows = [
        (str(event.position), *((event.topic, event.state) if event.leaf is None else ("", "(erased)")))
        for event in proof.events
    ]
    print_table(("position", "event", "as it is stored"), rows)
    signed = proof.checkpoint
    print_text(
        f"These are the first {counted(len(rows), 'event')} of {proof.stream}, as they stood in the log up to event"
        f" {signed.position}, which was signed at {signed.signed_at} with the key {signed.key}."
    )
    if erased := sum(event.leaf is not None for event in proof.events):
        print_text(f"{erased} were erased: something stood there; of what type and of which run is not proved.")
