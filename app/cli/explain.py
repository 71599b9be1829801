"""`runfold explain`: what a run waits for, in a sentence."""

from typing import Annotated, Any

import msgspec
import typer

import runfold
from app.cli import api
from app.cli.filters import AsOf
from app.cli.output import AsJson, print_fields, print_json, print_text


def explain(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")],
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Say why a run is where it is, and what it waits for."""
    api.connect()
    told = runfold.runs.explain(run, as_of=as_of)
    if as_json:
        print_json(told)
        return
    print_text(told.sentence)
    print_text("")
    print_fields([("reason", told.reason), *((name, _shown(value)) for name, value in told.data.items())])


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return " ".join(map(_shown, value))  # pyright: ignore[reportUnknownArgumentType]  # JSON, of any kind
        case _:
            return msgspec.json.encode(value).decode()
