"""`runfold secrets`: what requests of HTTP jobs refer to. Values are never taken from the command line itself."""

import sys
from typing import Annotated

import typer

from app.cli import api
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What requests call the secret.")]
BELOW = "/v1/"


@cli.callback()
def connect() -> None:
    """Keep secrets for requests, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("set")
def set_secret(name: Name) -> None:
    """Give a secret a value, read from standard input; the one before is replaced."""
    try:
        value = sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise typer.BadParameter("The value is no text in UTF-8.") from error
    saved = api.call("PUT", "secrets", name, body={"value": value}, below=BELOW)
    print_text(f"{saved['name']} has its value number {saved['version']}, encrypted with key {saved['key_name']}")


@cli.command("list")
def list_secrets(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the secrets of the environment, without their values."""
    found = api.call("GET", "secrets", below=BELOW)["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No secrets.")
    else:
        rows = [(each["name"], str(each["version"]), api.date_of(each, "updated_at")) for each in found]
        print_table(("secret", "version", "saved (UTC)"), rows)


@cli.command()
def remove(name: Name) -> None:
    """Forget the value; requests that refer to it fail from then on."""
    api.call("DELETE", "secrets", name, below=BELOW)
    print_text(f"{name} is removed")
