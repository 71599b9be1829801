"""Single triggers on PostgreSQL, over many connections, beside a route of the same framework that does nothing."""

from pathlib import Path

from bench import databases
from bench.figures import Chapter, at_least
from bench.rawhttp import Load
from bench.single import REPEATS, empty_route, figures_of, triggers

RATIO = at_least(0.35)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The empty route and the engine in turn, each time on a new database."""
    rounds: list[tuple[Load, Load]] = []
    for _ in range(1 if quick else REPEATS):
        empty = empty_route(folder, quick=quick)
        with databases.fresh() as url:
            rounds.append((empty, triggers(folder, url, quick=quick)))
    about = (
        "The same on PostgreSQL: one POST for each run, answered when its event is committed; no worker. The server,"
        " the engine and the client share the machine, the empty route shares it with the client alone."
    )
    return Chapter("PostgreSQL: single triggers", about, figures_of(rounds, "PostgreSQL: ", RATIO))
