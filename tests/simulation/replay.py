"""Run one seed again and say every step: python -m tests.simulation.replay [--durable] SEED."""

import argparse
import re
import signal
import sys

from tests.simulation import durable, simulation

LONG_ID = re.compile(r"_0{8,}")


def main() -> int:
    """Tell the story of one seed; the last line seals its whole log."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.replay", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--durable", action="store_true", help="of the simulation of durable execution")
    parser.add_argument("--quiet", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    tell = None if arguments.quiet else _say
    simulate = durable.simulate if arguments.durable else simulation.simulate
    try:
        ledger = simulate(arguments.seed, tell).ledger
    except AssertionError as broken:
        _say(f"seed {arguments.seed} breaks a rule: {broken}")
        return 1
    _say(f"seed {arguments.seed}: {len(ledger.records)} events, {ledger.head().digest.hex()}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(LONG_ID.sub("_", line) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has read enough
    sys.exit(main())
