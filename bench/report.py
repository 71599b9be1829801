"""The figures as tables: on the terminal, and in RESULTS.md."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Chapter, Figure, spoken
from bench.kept import Taken, floors_of

_terminal = Console()
# A table in a file is better too wide than broken into pieces.
console = Console(highlight=False, emoji=False, width=_terminal.width if _terminal.is_terminal else 150)
MISSED = Path(__file__).with_name("MISSED.md")
"""What profiles say of the missed aims; to be looked through after each full run."""
COLUMNS = ("", "median", "min to max", "unit", "aim", "against its floor")

HOW_TO_READ = """\
Everything runs as users run it: `runfold serve` and `runfold worker` are processes of their own, the client is the
package `runfold`, they talk HTTP on one machine, and the databases have the durability that they always have (SQLite
with `synchronous=FULL` for the ledger, PostgreSQL with its own settings: what is answered survives a power loss).
Engine, worker, client and database server share the cores. Tables are on SQLite unless they say PostgreSQL.
A figure is the median of its repetitions, beside it the smallest and the largest. A floor is what the same machine
gave in the same run to something simpler, so `0.50 x core alone` reads: half as much as the core alone; for times it
reads the other way round: `2.0 x an empty POST` is twice as long. Figures move between machines, ratios much less, so
compare ratios. CPU times are those of the processes, not of the clock: they hold also where a disk is slow."""


def print_chapter(chapter: Chapter, floors: Mapping[str, Figure]) -> None:
    """One scenario, as soon as it is done."""
    table = Table(*COLUMNS, title=chapter.title, title_justify="left", caption=chapter.about, caption_justify="left")
    for column in table.columns[1:3]:
        column.justify = "right"
    for figure in chapter.figures:
        table.add_row(*_cells(figure, floors))
    console.print(table)
    if chapter.text:
        console.print(chapter.text, markup=False, soft_wrap=True)


def markdown(taken: Sequence[Taken]) -> str:
    """The whole of RESULTS.md."""
    chapters = [each.chapter for each in taken]
    newest = max(taken, key=lambda each: each.at).machine
    machine = {name: value for name, value in newest.items() if name != "load at the start"}
    about = (
        'Written by `make bench`, which measures everything, or with `ARGS="--only NAME"` what is named; each chapter'
        " says when it was measured. Run it again rather than edit it."
    )
    parts = [
        "# Results of the benchmark",
        about,
        _table(("machine", ""), machine.items()),
        "## How to read it",
        HOW_TO_READ,
        "## Aims and what was reached",
        _table(("", "aim", "reached", "min to max", ""), map(_verdict, _with_aims(chapters))),
        "## Why what is missed is missed",
        MISSED.read_text().strip(),
    ]
    for each in taken:
        chapter, floors = each.chapter, floors_of(each, taken)
        rows = [_cells(figure, floors) for figure in chapter.figures]
        parts += [f"## {chapter.title}", chapter.about, each.when, _table(COLUMNS, rows)]
        parts += [chapter.text] if chapter.text else []
    return "\n\n".join(parts) + "\n"


def by_name(chapters: Iterable[Chapter]) -> dict[str, Figure]:
    """Every figure, as floors are looked up."""
    return {figure.name: figure for chapter in chapters for figure in chapter.figures}


def _with_aims(chapters: Iterable[Chapter]) -> list[Figure]:
    return [figure for chapter in chapters for figure in chapter.figures if figure.aim]


def _verdict(figure: Figure) -> tuple[str, ...]:
    assert figure.aim, "only figures with an aim are held against it"
    verdict = "reached" if figure.aim.is_reached(figure.median) else "**missed**"
    reached = f"{spoken(figure.median)} {figure.unit}"
    return figure.name, f"{figure.aim} {figure.unit}", reached, figure.spread, verdict


def _cells(figure: Figure, floors: Mapping[str, Figure]) -> tuple[str, ...]:
    against = [f"{figure.median / floors[name].median:.2f} x {name}" for name in figure.floors if name in floors]
    aim = str(figure.aim) if figure.aim else ""
    return figure.name, spoken(figure.median), figure.spread, figure.unit, aim, "; ".join(against)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(header)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
