"""`runfold erase`: what users gave runs is erased, and a receipt says so to whoever asks later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from adapters.signing import private_key, public_key
from app.cli import api
from app.cli.output import AsJson, print_json, print_text
from app.history.receipts import Receipt, check_receipts, signed
from domain.errors import InvalidInput
from runfold.counting import counted

WithNames = Annotated[bool, typer.Option("--with-names", help="Also tags, idempotency keys and concurrency keys.")]


def erase(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]", help="Runs that have ended.")] = None,
    tag: Annotated[str | None, typer.Option(help="All runs with this tag that have ended.")] = None,
    with_names: WithNames = False,  # noqa: FBT002 (a switch of the command line)
    receipt: Annotated[Path | None, typer.Option(help="Write the receipts to this file, signed with --key.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check this file of receipts instead. No engine and no database is asked.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The private key to sign with; to check, the public key of whoever signed.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Erase what runs hold: payloads, outputs, results, errors, metadata and logs. There is no way back."""
    if check is not None:
        if key is None or runs or tag or receipt:
            raise typer.BadParameter("--check takes --key with a public key, and nothing else.")
        _tell(check_receipts(_read(check), public_key(key)), [])
        return
    if bool(runs) == (tag is not None):
        raise typer.BadParameter("Name runs, or a --tag.")
    if (receipt is None) != (key is None):
        raise typer.BadParameter("A --receipt is signed with a --key: give both or none.")
    signer = private_key(key) if key else None
    api.connect()
    receipts, still_open, unreadable = _erased(runs or [], tag, with_names=with_names)
    if signer:
        receipts = [signed(each, signer) for each in receipts]
    if receipt and receipts:
        _write(receipt, receipts)
    if as_json:
        print_json({"receipts": msgspec.to_builtins(receipts), "open": still_open, "unreadable": unreadable})
    else:
        _tell(receipts, still_open)
    for sentence in unreadable:
        typer.echo(f"Not searched for runs with the tag: {sentence}", err=True)
    if unreadable:
        raise typer.Exit(1)


def _erased(runs: list[str], tag: str | None, *, with_names: bool) -> tuple[list[Receipt], list[str], list[str]]:
    """The receipts, the runs that have not ended, and why segments could not be searched."""
    answers = list(_answers(runs, tag, with_names=with_names))
    receipts = [msgspec.convert(each["receipt"], Receipt) for each in answers if each["receipt"] is not None]
    unreadable = [sentence for each in answers for sentence in each.get("unreadable", [])]
    return receipts, [run for each in answers for run in each["open"]], unreadable


def _answers(runs: list[str], tag: str | None, *, with_names: bool) -> Iterator[dict[str, Any]]:
    if tag is None:
        yield api.call("POST", "erasures", body={"runIds": runs, "withNames": with_names})
        return
    after: str | None = None
    while True:
        answer = api.call("POST", "erasures", body={"tag": tag, "withNames": with_names, "after": after})
        yield answer
        after = answer.get("next")
        if after is None:
            return


def _tell(receipts: list[Receipt], still_open: list[str]) -> None:
    for receipt in receipts:
        state = "" if receipt.is_complete else ", and the engine still carries it out"
        what = f"{counted(len(receipt.events), 'event')} of {counted(len(receipt.runs), 'run')}"
        names = " with their names" if receipt.with_names else ""
        by_whom = f"signed with the key {receipt.key}" if receipt.key else "not signed"
        print_text(
            f"{receipt.id}: {what} erased{names} at"
            f" {receipt.erased_at} by {receipt.by}, event {receipt.position} of the log{state}; {by_whom}."
        )
    if not receipts:
        print_text("Nothing was left to erase.")
    if still_open:
        print_text(f"Not erased, because they have not ended: {', '.join(still_open)}.")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The file {file} cannot be read: {error.strerror}.") from error


def _write(file: Path, receipts: list[Receipt]) -> None:
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(receipts), indent=1) + b"\n")
    except OSError as error:
        raise InvalidInput(f"The runs are erased, but {file} cannot be written: {error.strerror}.") from error
