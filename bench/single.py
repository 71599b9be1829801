"""Single triggers over many connections, beside a route of the same framework that does nothing."""

import sys
import tempfile
from pathlib import Path

from bench import rawhttp
from bench.figures import Chapter, Figure, at_least, quantiles
from bench.processes import engine
from bench.rawhttp import Load

REQUESTS, QUICK_REQUESTS = 20_000, 1_000
REPEATS = 3
CONNECTIONS = 32
TRIGGER, BODY = "/api/v1/tasks/nothing/trigger", b'{"payload":1}'
RATIO = at_least(0.5)
EMPTY = "an empty route, 32 connections"


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The two in turn, so that what the machine does besides meets both."""
    requests, repeats = (QUICK_REQUESTS, 1) if quick else (REQUESTS, REPEATS)
    rounds = [(_empty(folder, requests), _triggers(folder, requests)) for _ in range(repeats)]
    ratios = tuple(made.per_second / empty.per_second for empty, made in rounds)
    figures = [
        Figure("triggers, 32 connections", "runs/s", tuple(made.per_second for _, made in rounds), None, (EMPTY,)),
        Figure(EMPTY, "requests/s", tuple(empty.per_second for empty, _ in rounds)),
        Figure("of the empty route", "times", ratios, RATIO),
        *quantiles("a trigger's answer", "ms", [made.took_ms for _, made in rounds]),
    ]
    about = (
        "One POST for each run, answered when its event is committed, from a client that costs next to nothing; SQLite,"
        " no worker. The empty route is FastAPI's, reads the body and answers the same bytes."
    )
    return Chapter("Single triggers", about, figures)


def _empty(where: Path, requests: int) -> Load:
    command = (sys.executable, Path(__file__).with_name("empty_server.py"))
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name), command) as running:
        return rawhttp.load(running.address, TRIGGER, BODY, requests=requests, connections=CONNECTIONS)


def _triggers(where: Path, requests: int) -> Load:
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name)) as running:
        rawhttp.load(running.address, TRIGGER, BODY, requests=requests // 10, connections=CONNECTIONS)
        return rawhttp.load(running.address, TRIGGER, BODY, requests=requests, connections=CONNECTIONS)
