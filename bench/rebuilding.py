"""All rows anew from the ledger, and the proof that they equal it."""

import time
from pathlib import Path

from app.engine.rebuild import rebuild
from app.history.verify import verify
from bench import corpus, databases
from bench.figures import BenchError, Chapter, Figure, at_least
from bench.floors import FOLD, READ

VERIFY = "verify: hashes, a rebuild beside it, every row compared"
RUNS, QUICK_RUNS = 200_000, 10_000
REPEATS = 3
AIM, VERIFIED_AIM = at_least(100_000), at_least(200_000)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """What `runfold projections rebuild` and `verify` do, on the files of an engine that does not run."""
    url = databases.file_in(folder)
    made = corpus.write(url, QUICK_RUNS if quick else RUNS)
    rebuilt: list[float] = []
    verified: list[float] = []
    with databases.opened(url) as (ledger, read_models):
        for _ in range(1 if quick else REPEATS):
            begun = time.perf_counter()
            rebuild(ledger, read_models)
            rebuilt.append(made.events / (time.perf_counter() - begun))
            begun = time.perf_counter()
            report = verify(ledger, read_models)
            verified.append(made.events / (time.perf_counter() - begun))
            if not report.holds:
                raise BenchError(f"The rebuilt rows do not equal the ledger: {report}.")
    figures = [
        Figure("rebuild", "events/s", tuple(rebuilt), AIM, (READ, FOLD)),
        Figure(VERIFY, "events/s", tuple(verified), VERIFIED_AIM, (READ,)),
    ]
    about = f"{RUNS if not quick else QUICK_RUNS:,} finished runs, {made.events:,} events; indexes and swap included."
    return Chapter("Rebuild and verify", about, figures)
