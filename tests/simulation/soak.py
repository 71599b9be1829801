"""Run many seeds in parallel processes: python -m tests.simulation.soak --seeds N [--start S] [--durable]."""

import argparse
import os
import sys
import time
from multiprocessing import get_context

from tests.simulation import durable, simulation

TELL_EACH_SECONDS = 5.0


def main() -> int:
    """Run the seeds, tell how far it is, and name those that break a rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many")
    parser.add_argument("--start", type=int, default=0, metavar="S", help="the first one")
    parser.add_argument("--durable", action="store_true", help="of the simulation of durable execution")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="P")
    arguments = parser.parse_args()
    seeds = range(arguments.start, arguments.start + arguments.seeds)
    attempt = _try_durable if arguments.durable else _try
    broken = events = 0
    began = told = time.monotonic()
    with get_context("spawn").Pool(arguments.processes) as pool:
        for done, (log_length, error) in enumerate(pool.imap_unordered(attempt, seeds, chunksize=8), start=1):
            events += log_length
            if error:
                broken += 1
                _say(error)
            if time.monotonic() - told > TELL_EACH_SECONDS:
                told = time.monotonic()
                _say(f"{done:,} of {len(seeds):,} seeds, {broken} broken")
    seconds = time.monotonic() - began
    _say(f"{len(seeds):,} seeds from {seeds.start}, {events:,} events, {seconds:.0f} s: {broken} broken")
    return 1 if broken else 0


def _try(seed: int) -> tuple[int, str | None]:
    try:
        return len(simulation.simulate(seed).ledger.records), None
    except Exception as error:  # noqa: BLE001 - whatever it is, this seed is broken and the others go on
        return 0, f"seed {seed}: {type(error).__name__}: {error}\n  python -m tests.simulation.replay {seed}"


def _try_durable(seed: int) -> tuple[int, str | None]:
    try:
        return len(durable.simulate(seed).ledger.records), None
    except Exception as error:  # noqa: BLE001 - as above
        return 0, f"seed {seed}: {type(error).__name__}: {error}\n  python -m tests.simulation.replay --durable {seed}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
