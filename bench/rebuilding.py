"""All rows anew from the ledger, and the proof that they equal it."""

import time
from pathlib import Path

from adapters.codec import decode
from adapters.hashes import digest_after
from app.engine.backends import opener_of
from app.engine.rebuild import rebuild
from app.history.hands import hands
from app.history.verify import verify
from app.settings import load
from bench import corpus, databases
from bench.figures import BenchError, Chapter, Figure, at_least
from bench.floors import FOLD, READ
from domain.ports import START, CopyableLedger

VERIFY = "verify: hashes, a fold of the ledger, every row compared"
ONCE = "hash and decode each event, one process, events in memory"
ONCE_CHUNK = 10_000
RUNS, QUICK_RUNS = 200_000, 10_000
REPEATS = 3
AIM, VERIFIED_AIM = at_least(100_000), at_least(200_000)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """What an engine that rebuilds, and `runfold projections verify` do, on the files of an engine that does not run.

    `runfold projections rebuild` verifies the hashes as well while it reads.
    To verify, as the command does, there is a process for each core, and the time that they take to start counts.
    """
    url = databases.file_in(folder)
    made = corpus.write(url, QUICK_RUNS if quick else RUNS)
    rebuilt: list[float] = []
    verified: list[float] = []
    once: list[float] = []
    opener = opener_of(load(database_url=url, database_schema=databases.SCHEMA))
    with databases.opened(url) as (ledger, read_models):
        for _ in range(1 if quick else REPEATS):
            begun = time.perf_counter()
            rebuild(ledger, read_models)
            rebuilt.append(made.events / (time.perf_counter() - begun))
            once.append(made.events / _once(ledger))
            begun = time.perf_counter()
            with hands(opener, made.events) as shared:
                report = verify(ledger, read_models, shared)
            verified.append(made.events / (time.perf_counter() - begun))
            if not report.holds:
                raise BenchError(f"The rebuilt rows do not equal the ledger: {report}.")
    figures = [
        Figure("rebuild", "events/s", tuple(rebuilt), AIM, (READ, FOLD)),
        Figure(ONCE, "events/s", tuple(once)),
        Figure(VERIFY, "events/s", tuple(verified), VERIFIED_AIM, (ONCE, READ)),
    ]
    about = f"{RUNS if not quick else QUICK_RUNS:,} finished runs, {made.events:,} events; indexes and swap included."
    return Chapter("Rebuild and verify", about, figures)


def _once(ledger: CopyableLedger) -> float:
    """Seconds for what a proof cannot do without."""
    position, digest, took = START.position, START.digest, 0.0
    while rows := ledger.sealed_after(position, limit=ONCE_CHUNK):
        begun = time.perf_counter()
        for row in rows:
            digest = digest_after(digest, row[:5])
            decode(row[:5])
        took += time.perf_counter() - begun
        position = rows[-1].position
    return took
