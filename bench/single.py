"""Single triggers over many connections, beside a route of the same framework that does nothing."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import rawhttp
from bench.figures import Aim, Chapter, Figure, at_least, quantiles
from bench.processes import engine
from bench.rawhttp import Load

REQUESTS, QUICK_REQUESTS = 20_000, 1_000
REPEATS = 3
CONNECTIONS = 32
TRIGGER, BODY = "/api/v1/tasks/nothing/trigger", b'{"payload":1}'
RATIO = at_least(0.5)
EMPTY = "an empty route, 32 connections"


def measure(folder: Path, *, quick: bool) -> Chapter:
    """On SQLite."""
    rounds = [(empty_route(folder, quick=quick), triggers(folder, quick=quick)) for _ in range(1 if quick else REPEATS)]
    about = (
        "One POST for each run, answered when its event is committed, from a client that costs next to nothing; SQLite,"
        " no worker. The empty route is FastAPI's, reads the body and answers the same bytes."
    )
    return Chapter("Single triggers", about, figures_of(rounds, "", RATIO))


def empty_route(where: Path, *, quick: bool) -> Load:
    """Requests to the route that does nothing."""
    command = (sys.executable, Path(__file__).with_name("empty_server.py"))
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name), command) as running:
        return _load(running.address, QUICK_REQUESTS if quick else REQUESTS)


def triggers(where: Path, database: str | None = None, *, quick: bool) -> Load:
    """Triggers on an engine that has begun; on a SQLite file if no database is named."""
    requests = QUICK_REQUESTS if quick else REQUESTS
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name), database=database) as running:
        _load(running.address, requests // 10)
        return _load(running.address, requests)


def figures_of(rounds: Sequence[tuple[Load, Load]], named: str, ratio: Aim) -> list[Figure]:
    """Of the two in turn, the empty route first, so that what the machine does besides meets both."""
    empty = f"{named}{EMPTY}"
    ratios = tuple(made.per_second / nothing.per_second for nothing, made in rounds)
    return [
        Figure(
            f"{named}triggers, 32 connections", "runs/s", tuple(made.per_second for _, made in rounds), None, (empty,)
        ),
        Figure(empty, "requests/s", tuple(nothing.per_second for nothing, _ in rounds)),
        Figure(f"{named}of the empty route", "times", ratios, ratio),
        *quantiles(f"{named}a trigger's answer", "ms", [made.took_ms for _, made in rounds]),
    ]


def _load(address: str, requests: int) -> Load:
    return rawhttp.load(address, TRIGGER, BODY, requests=requests, connections=CONNECTIONS)
