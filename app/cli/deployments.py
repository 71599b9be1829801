"""`runfold deployments`: the versions of the tasks of an environment."""

from typing import Annotated, Any

import typer

from app.cli import api
from app.cli.output import AsJson, print_json, print_table, print_text

PAGE_MAX = 100

cli = typer.Typer(no_args_is_help=True)


@cli.callback()
def connect() -> None:
    """Look at deployments and promote one, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command("list")
def list_deployments(
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """List deployments, newest first."""
    found = api.call("GET", "deployments", **{"page[size]": str(limit)})["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No deployments.")
    else:
        print_table(("version", "", "registered (UTC)", "promoted (UTC)", "tasks"), [_row(each) for each in found])


@cli.command()
def promote(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="A version, as `runfold deployments list` shows it.")
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make a version the current one: new runs get it."""
    promoted = api.call("POST", "deployments", version, "promote")
    if as_json:
        print_json(promoted)
    else:
        print_text(f"{promoted['version']} is the current version")


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    current = "current" if item["isCurrent"] else ""
    dates = (api.date_of(item, name) for name in ("createdAt", "promotedAt"))
    return (item["version"], current, *dates, " ".join(item["tasks"]))
