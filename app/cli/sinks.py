"""`runfold sink`: where the events of an environment are streamed to."""

from typing import Annotated, Any

import typer

from app.cli import api
from app.cli.named import id_of
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)


@cli.callback()
def connect() -> None:
    """Stream events elsewhere, from the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_sinks(
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List the sinks of the environment, how far they are, and what holds them up."""
    found = api.call("GET", "sinks")["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No sinks.")
    else:
        rows = [
            (each["id"], each["name"], _target_of(each), str(each["position"]), str(each["lag"]), each["error"] or "")
            for each in found
        ]
        print_table(("sink", "name", "goes to", "position", "behind", "error"), rows)


@cli.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    url: Annotated[str | None, typer.Option(help="Post each event to this URL.")] = None,
    secret: Annotated[str | None, typer.Option(help="Sign with the secret of this name.")] = None,
    file: Annotated[str | None, typer.Option(help="Append to this file in RUNFOLD_SINKS_FOLDER of the engine.")] = None,
    form: Annotated[str, typer.Option("--format", help="cloudevents or runfold.")] = "cloudevents",
    after: Annotated[
        int | None, typer.Option(min=0, help="Begin behind this position; from now on, if left out.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Stream the events of the environment to a URL, or into a file."""
    asked: dict[str, Any] = {"name": name, "url": url, "secret": secret, "file": file, "format": form, "after": after}
    added = api.call("POST", "sinks", body={key: value for key, value in asked.items() if value is not None})
    if as_json:
        print_json(added)
    else:
        print_text(f"{added['id']} gets the events behind {added['position']}: {_target_of(added)}")


@cli.command()
def remove(
    sink: Annotated[str, typer.Argument(metavar="SINK", help="The id or the name of a sink.")],
) -> None:
    """Stream nothing there any more."""
    api.call("DELETE", "sinks", id_of(sink, api.call("GET", "sinks")["data"]))
    print_text(f"{sink} is removed")


def _target_of(sink: dict[str, Any]) -> str:
    return str(sink.get("file") or sink.get("url"))
