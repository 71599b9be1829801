"""`runfold connections`: the credentials that tasks work with. They are never taken from the command line itself."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from app.cli import api
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What tasks call the connection.")]


@cli.callback()
def connect() -> None:
    """Keep credentials for tasks, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("set")
def set_connection(
    name: Name,
    file: Annotated[Path | None, typer.Option(help="Read them from this file instead of standard input.")] = None,
    text: Annotated[bool, typer.Option("--text", help="They are a text, such as a token, and not JSON.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Keep credentials, encrypted, read from standard input; those that were there are replaced."""
    saved = api.call("PUT", "connections", name, body={"credentials": _credentials(_read(file), is_text=text)})
    if as_json:
        print_json(saved)
    else:
        print_text(f"{saved['name']} is ready, encrypted with key {saved['keyName']}")


@cli.command("list")
def list_connections(
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the connections of the environment, without their credentials."""
    found = api.call("GET", "connections")["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No connections.")
    else:
        rows = [(each["name"], api.date_of(each, "updatedAt"), each["keyName"]) for each in found]
        print_table(("connection", "saved (UTC)", "encryption key"), rows)


@cli.command()
def remove(name: Name) -> None:
    """Forget the credentials; runs that need them wait from then on."""
    api.call("DELETE", "connections", name)
    print_text(f"{name} is removed")


@cli.command()
def rotate(
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Encrypt everything with the first key of the engine's RUNFOLD_ENCRYPTION_KEY."""
    counts = api.call("POST", "connections", "rotate")
    if as_json:
        print_json(counts)
    else:
        print_text(f"Encrypted anew: {counts['rotated']}. Had the first key already: {counts['unchanged']}.")


def _read(file: Path | None) -> bytes:
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"The file {file} cannot be read: {error.strerror}.") from error


def _credentials(given: bytes, *, is_text: bool) -> Any:
    try:
        if is_text:
            return given.decode().removesuffix("\n")
        return msgspec.Raw(msgspec.json.format(given, indent=-1))
    except ValueError as error:
        # What was read is not told: it may be a secret all the same.
        raise typer.BadParameter("These credentials are no JSON; say --text for a text without quotes.") from error
