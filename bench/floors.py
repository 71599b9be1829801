"""What this machine and these libraries give at best, measured in the same run as everything else."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec import Struct

from adapters.codec import encode
from adapters.hashes import digest_after
from adapters.sqlite import recorder
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.rows import insert
from bench import core, corpus, rawhttp
from bench.figures import Chapter, Figure, quantile
from bench.processes import Running, engine
from domain.events import Recorded
from domain.ports import START
from projections.fold import Loaded, fold, histories_of

REPEATS = 3
SIZES = {1: 1_000, 100: 20_000, 2_000: 40_000}
"""How many events go into one commit, and how many are written in all."""
FOLD_CHUNK = 50_000
CONNECTIONS = 16
TRIGGER = "/api/v1/tasks/nothing/trigger"

FSYNC = "write and fsync 4 KiB, p50"
CORE = "core alone: decide, no I/O"
FOLD = "fold alone: events to rows, no I/O"
READ = "read events back from the ledger"
EMPTY = "empty POST on FastAPI and uvicorn"
APPEND_LARGE = "ledger append, commits of 2,000"
APPEND = "runs that 4 appended events each would allow"


class Scale(Struct, frozen=True):
    """How much is measured."""

    divisor: int
    repeats: int


def measure(folder: Path, *, quick: bool) -> Chapter:
    """All floors, and the two figures that belong right beside theirs."""
    scale = Scale(10, 1) if quick else Scale(1, REPEATS)
    figures = [_fsync(folder, scale), *_ledger(folder, scale), *_memory(scale), *_http(folder, scale)]
    about = (
        "In process, on the same disk, with the same events; HTTP over 16 connections from a client that costs next to"
        " nothing. Raw inserts write the very bytes of the ledger's events into the same table, in WAL mode with"
        " synchronous=FULL; what the ledger adds is encoding and the rolling hash."
    )
    return Chapter("Floors", about, figures)


def _fsync(folder: Path, scale: Scale) -> Figure:
    descriptor = os.open(folder / "fsync", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        rounds = [[_seconds(lambda: _write_through(descriptor)) for _ in range(200)] for _ in range(scale.repeats)]
    finally:
        os.close(descriptor)
    return Figure(FSYNC, "ms", tuple(quantile(each, 0.5) * 1_000 for each in rounds))


def _write_through(descriptor: int) -> None:
    os.write(descriptor, bytes(4_096))
    os.fsync(descriptor)


def _ledger(folder: Path, scale: Scale) -> Iterator[Figure]:
    events = list(story_events(SIZES[2_000] // scale.divisor))
    rows = list(rows_of(events))
    appended: tuple[float, ...] = ()
    for size, total in SIZES.items():
        count = total // scale.divisor
        raw = f"raw insert of the same bytes, commits of {size:,}"
        inserted = _rates(scale, count, partial(_insert, folder, rows[:count], size))
        yield Figure(raw, "events/s", inserted)
        appended = _rates(scale, count, partial(_append, folder, events[:count], size))
        yield Figure(f"ledger append, commits of {size:,}", "events/s", appended, floors=(raw,))
    yield Figure(APPEND, "runs/s", tuple(each / 4 for each in appended))
    with closing(SqliteLedger(folder / "read.db")) as ledger:
        ledger.append(events, {}, after=START)
        yield Figure(READ, "events/s", _rates(scale, len(events), lambda: _read(ledger, len(events))))


def _memory(scale: Scale) -> Iterator[Figure]:
    runs = 20_000 // scale.divisor
    yield Figure(CORE, "runs/s", _rates(scale, runs, lambda: _seconds(lambda: core.run_through(runs, 100))))
    events = list(story_events(200_000 // scale.divisor))
    yield Figure(FOLD, "events/s", _rates(scale, len(events), lambda: _fold(events)))


def _http(folder: Path, scale: Scale) -> Iterator[Figure]:
    requests = 10_000 // scale.divisor
    server = (sys.executable, Path(__file__).with_name("empty_server.py"))
    with engine(folder, server) as running:
        yield from _posts(EMPTY, running, requests, scale)
    with engine(folder) as running:
        yield from _posts("trigger of one run, no worker", running, requests // 2, scale, EMPTY)


def _posts(name: str, running: Running, requests: int, scale: Scale, floor: str = "") -> Iterator[Figure]:
    rates: list[float] = []
    cpu: list[float] = []
    for _ in range(scale.repeats):
        before = running.usage().cpu
        made = rawhttp.load(running.address, TRIGGER, b'{"payload":1}', requests=requests, connections=CONNECTIONS)
        cpu.append((running.usage().cpu - before) / requests * 1e6)
        rates.append(made.per_second)
    yield Figure(name, "requests/s", tuple(rates), floors=(floor,) if floor else ())
    yield Figure(f"server CPU, {name}", "µs/request", tuple(cpu), floors=(f"server CPU, {floor}",) if floor else ())


def story_events(count: int) -> Iterator[Recorded]:
    story = corpus.Story()
    yield from story.opening()
    for wave in story.waves(count // 4):
        yield from wave


def rows_of(events: Sequence[Recorded]) -> Iterator[tuple[int, str, int, str, bytes, bytes]]:
    """The events as the ledger's table has them."""
    digest = START.digest
    for recorded in events:
        topic = type(recorded.event).__name__
        row = (recorded.position, recorded.stream, recorded.version, topic, encode(recorded))
        digest = digest_after(digest, row)
        yield *row, digest


def _insert(folder: Path, rows: Sequence[tuple[object, ...]], size: int) -> float:
    file = folder / "raw.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        for statement in recorder.SCHEMA:
            connection.execute(statement)
        begun = time.perf_counter()
        for start in range(0, len(rows), size):
            connection.execute("begin immediate")
            insert(connection.cursor(), recorder.INSERT, rows[start : start + size])
            connection.execute("commit")
        took = time.perf_counter() - begun
    file.unlink()
    return took


def _append(folder: Path, events: Sequence[Recorded], size: int) -> float:
    file = folder / "append.db"
    with closing(SqliteLedger(file)) as ledger:
        head = START
        begun = time.perf_counter()
        for start in range(0, len(events), size):
            head = ledger.append(events[start : start + size], {}, after=head)
        took = time.perf_counter() - begun
    file.unlink()
    return took


def _read(ledger: SqliteLedger, count: int) -> float:
    return _seconds(lambda: ledger.read_after(0, limit=count))


def _fold(events: Sequence[Recorded]) -> float:
    """Chunks of a rebuild; the runs that go on over their border are left out, for nothing is loaded here."""
    chunks: list[list[Recorded]] = []
    for start in range(0, len(events), FOLD_CHUNK):
        chunk = events[start : start + FOLD_CHUNK]
        whole = {recorded.stream for recorded in chunk if recorded.version == 1}
        chunks.append([recorded for recorded in chunk if recorded.stream in whole])
    return _seconds(lambda: [fold(histories_of(chunk), Loaded()) for chunk in chunks])


def _rates(scale: Scale, count: int, seconds: Callable[[], float]) -> tuple[float, ...]:
    return tuple(count / seconds() for _ in range(scale.repeats))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
