"""`runfold runs logs`: what the code of a run has logged."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

import runfold
from app.cli.filters import AsOf
from app.cli.output import AsJson, moment, print_json, print_table, print_text
from runfold.log import LEVELS, LogLine

SHOWN_MAX = 20
"""So many lines, the last ones, stand under a run that is shown."""

OfLevel = Annotated[str | None, typer.Option(help=f"Only lines of this level or above: {', '.join(LEVELS)}.")]
Behind = Annotated[int | None, typer.Option(min=-1, help="Only lines behind the one of this index.")]


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")],
    level: OfLevel = None,
    after: Behind = None,
    as_of: AsOf = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Show the lines that the code of a run has logged by `ctx.log`."""
    if level is not None and level not in LEVELS:
        raise typer.BadParameter(f"--level is one of {', '.join(LEVELS)}, not {level!r}.")
    lines = runfold.runs.logs(run, after=after, level=level, as_of=as_of)
    if as_json:
        print_json([_plain(line) for line in lines])
    elif lines:
        _print(lines)
    else:
        print_text("No lines.")


def print_last(run: str, as_of: str | None = None) -> None:
    """The last lines of a run, under what is shown of it, of now or then; nothing, if there are none."""
    lines = runfold.runs.logs(run, as_of=as_of)
    if not lines:
        return
    print_text("")
    then = "" if as_of is None else f" --as-of {as_of}"
    if len(lines) > SHOWN_MAX:
        print_text(f"The last {SHOWN_MAX} of {len(lines)} lines; all: runfold runs logs {run}{then}")
    _print(lines[-SHOWN_MAX:])


def _print(lines: Sequence[LogLine]) -> None:
    columns = ("line", "logged", "level", "message", "attributes")
    print_table(columns, ((str(each.index), moment(each.at), each.level, each.message, _named(each)) for each in lines))


def _named(line: LogLine) -> str:
    return "  ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in line.attributes.items())


def _plain(line: LogLine) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(line)
    return plain
