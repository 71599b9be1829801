"""`runfold retention`: how long runs stay in the database."""

from typing import Annotated, Any

import typer

from app.cli import api
from app.cli.output import AsJson, print_json, print_text
from runfold.counting import counted

cli = typer.Typer(no_args_is_help=True)


@cli.callback()
def connect() -> None:
    """How long runs stay in the database of the engine, in the environment that RUNFOLD_SECRET_KEY opens."""
    api.connect()


@cli.command("set")
def set_days(
    days: Annotated[int | None, typer.Option(min=1, help="So many days after their end runs go into segments.")] = None,
    for_ever: Annotated[bool, typer.Option("--for-ever", help="They stay.")] = False,  # noqa: FBT002 (a switch of the command line)
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let runs leave the database so many days after their end, or never."""
    if (days is None) != for_ever:
        raise typer.BadParameter("Say either --days or --for-ever.")
    _tell(api.call("PUT", "retention", body={"days": days}), as_json=as_json)


@cli.command()
def show(
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Tell how long runs stay."""
    _tell(api.call("GET", "retention"), as_json=as_json)


def _tell(told: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    elif told["days"] is None:
        print_text("Runs stay in the database.")
    else:
        print_text(
            f"Runs leave the database {counted(told['days'], 'day')} after their end, for segments in {told['folder']}."
        )
