"""What goes to standard output: text and tables for people, or JSON and nothing else."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.cells import cell_len

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""How moments are given."""
_GAP = 2
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: Any) -> None:
    """Indented, because people look at it too."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_json_line(value: Any) -> None:
    """For those who listen to a command that goes on."""
    typer.echo(msgspec.json.encode(value).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """One line for each row, as long as it takes: ids are there to be copied, so nothing is cut."""
    lines = [columns, *([_on_one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width + _GAP - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        print_text("".join(cells).rstrip())


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """A name and a value a line; those without a value are left out."""
    shown = [(name, _on_one_line(value)) for name, value in fields if value]
    width = max(len(name) for name, _ in shown) + _GAP
    for name, value in shown:
        print_text(f"{name:{width}}{value}")


def print_text(text: str) -> None:
    """Text as it is, but nothing of a run's that would move the cursor or change the colors of a terminal."""
    typer.echo(_CONTROL.sub("�", text))


def moment(value: datetime | None) -> str:
    """In the time zone of the person who reads."""
    return "" if value is None else value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(start: datetime | None, end: datetime | None) -> str:
    """From start to end; nothing as long as one of them is missing."""
    return "" if start is None or end is None else length((end - start) / timedelta(milliseconds=1))


def length(milliseconds: float) -> str:
    """A length of time."""
    seconds = milliseconds / 1_000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 60 else f"{minutes} min {rest} s"


def _on_one_line(text: str) -> str:
    return " ".join(text.splitlines())


def in_utc(value: datetime) -> datetime:
    """A moment that somebody gave; one without an offset is in UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
