"""`runfold alerts`: who is told when runs fail."""

from typing import Annotated, Any

import typer

from app.cli import api
from app.cli.named import id_of
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)
BELOW = "/v1/"


@cli.callback()
def connect() -> None:
    """Say who is told of failures, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_channels(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the alert channels of the environment, newest first."""
    found = api.call("GET", "alerts", below=BELOW)["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No alert channels.")
    else:
        rows = [
            (
                *(each["id"], each["name"], _target_of(each), ", ".join(each["on"])),
                *(", ".join(each["failing"]) or "nothing", each["error"] or ""),
            )
            for each in found
        ]
        print_table(("channel", "name", "tells", "on", "fails now", "error"), rows)


@cli.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    url: Annotated[str | None, typer.Option(help="Post to this URL.")] = None,
    email: Annotated[list[str] | None, typer.Option(help="Write to this address; may be given again.")] = None,
    secret: Annotated[str | None, typer.Option(help="Sign with the secret of this name.")] = None,
    on: Annotated[
        list[str] | None, typer.Option(help="failure, recovery, auto_pause, certificate; success, completion.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only of this task; may be given again.")] = None,
    job: Annotated[list[str] | None, typer.Option(help="Only of this HTTP job; may be given again.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Of failures in a row only the first.")] = False,  # noqa: FBT002
    digest: Annotated[str | None, typer.Option(help="Tell what follows within this time together: 5m, 1h.")] = None,
    certificate_days: Annotated[int | None, typer.Option(help="So long before a certificate ends; 14 days.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let somebody be told when runs fail, recover, or jobs pause themselves."""
    if (url is None) == (not email):
        raise typer.BadParameter("Say who is told, by --url or by --email.")
    target = {"kind": "email", "to": email} if url is None else {"kind": "webhook", "url": url}
    asked = target | {"name": name, "tasks": task or [], "jobs": job or [], "repeat": not once}
    asked |= {"on": on} if on else {}
    asked |= {"certificate_days": certificate_days} if certificate_days is not None else {}
    asked |= {"digest": digest} if digest else {}
    asked |= {"secret": secret} if secret else {}
    saved = api.call("POST", "alerts", body=asked, below=BELOW)
    if as_json:
        print_json(saved)
    else:
        print_text(f"{saved['id']} tells {_target_of(saved)} of {', '.join(saved['on'])}")
        if saved["error"]:
            print_text(saved["error"])


@cli.command()
def test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The id or the name of an alert channel.")],
) -> None:
    """Send a message by an alert channel, to see that it arrives."""
    told = api.call("POST", "alerts", _id_of(channel), "test", below=BELOW)
    print_text(f"A test message is under way: runfold runs show {told['execution_id']} says how far.")


@cli.command()
def remove(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The id or the name of an alert channel.")],
) -> None:
    """Let nobody be told by an alert channel any more."""
    api.call("DELETE", "alerts", _id_of(channel), below=BELOW)
    print_text(f"{channel} is removed")


def _id_of(said: str) -> str:
    return id_of(said, api.call("GET", "alerts", below=BELOW)["data"])


def _target_of(channel: dict[str, Any]) -> str:
    return ", ".join(channel["to"]) if channel["kind"] == "email" else str(channel["url"])
