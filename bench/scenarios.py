"""`make bench`: measure everything, or what is named, print the tables, and write RESULTS.md.

The databases are where Python makes temporary folders; TMPDIR moves them, to the disk that is to be measured.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from msgspec import Struct

from bench import (
    beside,
    executions,
    fairness,
    floors,
    frozen,
    kept,
    latency,
    listing,
    machine,
    pages,
    past,
    realtime,
    rebuilding,
    report,
    resuming,
    schedules,
    single,
    stages,
    starting,
    throughput,
)
from bench.figures import BenchError, Chapter, TimeIsUp
from bench.kept import Taken
from bench.postgres import floors as postgres_floors
from bench.postgres import latency as postgres_latency
from bench.postgres import listing as postgres_listing
from bench.postgres import pages as postgres_pages
from bench.postgres import past as postgres_past
from bench.postgres import single as postgres_single
from bench.postgres import takeover as postgres_takeover
from bench.postgres import throughput as postgres_throughput

RESULTS = Path(__file__).with_name("RESULTS.md")


class Measure(Protocol):
    """What a scenario is: it may leave anything in the folder, and `quick` says that the figures do not count."""

    def __call__(self, folder: Path, *, quick: bool) -> Chapter:
        """Raises BenchError when it cannot be measured."""
        ...


class Scenario(Struct, frozen=True):
    """What to measure, and after how many seconds to give it up."""

    measure: Measure
    seconds_max: int


# The floors come first: the other tables are held against them as they are printed.
SCENARIOS = {
    "floors": Scenario(floors.measure, 300),
    "throughput": Scenario(throughput.measure, 600),
    "latency": Scenario(latency.measure, 300),
    "single": Scenario(single.measure, 300),
    "realtime": Scenario(realtime.measure, 300),
    "list": Scenario(listing.measure, 1_200),
    "past": Scenario(past.measure, 900),
    "pages": Scenario(pages.measure, 1_200),
    "rebuild": Scenario(rebuilding.measure, 600),
    "start": Scenario(starting.measure, 300),
    "fairness": Scenario(fairness.measure, 900),
    "frozen": Scenario(frozen.measure, 300),
    "resuming": Scenario(resuming.measure, 300),
    "schedules": Scenario(schedules.measure, 1_200),
    "executions": Scenario(executions.measure, 900),
    "stages": Scenario(stages.measure, 600),
    "postgres/floors": Scenario(postgres_floors.measure, 300),
    "postgres/throughput": Scenario(postgres_throughput.measure, 900),
    "postgres/latency": Scenario(postgres_latency.measure, 300),
    "postgres/single": Scenario(postgres_single.measure, 300),
    "postgres/lists": Scenario(postgres_listing.measure, 1_200),
    "postgres/past": Scenario(postgres_past.measure, 900),
    "postgres/pages": Scenario(postgres_pages.measure, 1_200),
    "postgres/takeover": Scenario(postgres_takeover.measure, 1_200),
    "peers/throughput": Scenario(beside.throughput, 2_400),
    "peers/retries": Scenario(beside.retries, 900),
    "peers/steps": Scenario(beside.steps, 900),
    "peers/latency": Scenario(beside.to_start, 1_200),
    "peers/lists": Scenario(beside.lists, 900),
}
GROUPS = tuple(dict.fromkeys(name.partition("/")[0] for name in SCENARIOS))
"""What stands before the stroke is asked for with all that stands behind it."""


def main() -> int:
    """Run the scenarios that were asked for; the exit code."""
    asked = _parser().parse_args()
    signal.signal(signal.SIGTERM, _end)
    try:
        machine.require_linux()
        described = machine.describe(Path(tempfile.gettempdir()))
    except BenchError as error:
        report.console.print(str(error))
        return 1
    names = [name for name in SCENARIOS if not asked.only or {name, name.partition("/")[0]} & {*asked.only}]
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    found: list[Taken] = []
    for name in names:
        chapter = _run(name, SCENARIOS[name], quick=asked.quick)
        if chapter is not None:
            found.append(Taken(name, at, described, chapter))
            report.print_chapter(chapter, report.by_name(each.chapter for each in found))
    if found and (asked.to or not asked.quick):
        results: Path = asked.to or RESULTS
        results.write_text(report.markdown(found if asked.to else kept.keep(found, SCENARIOS)))
        report.console.print(f"Written to {results}.")
    if len(found) < len(names):
        report.console.print("Something could not be measured.")
        return 1
    return 0


def _run(name: str, scenario: Scenario, *, quick: bool) -> Chapter | None:
    """The chapter of a scenario, None when it failed: the others are measured all the same."""
    report.console.print(f"\n[bold]{name}[/bold] …")
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="runfold-bench-") as folder, _within(scenario.seconds_max):
            chapter = scenario.measure(Path(folder), quick=quick)
    except Exception:  # noqa: BLE001 (whatever it is, it is told, and the exit code says so)
        traceback.print_exc()
        return None
    report.console.print(f"took {time.monotonic() - begun:.0f} s")
    return chapter


@contextmanager
def _within(seconds: int) -> Generator[None]:
    """Raise TimeIsUp in the midst of what takes longer; processes and folders are cleaned up on its way out."""

    def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeIsUp(f"The scenario took longer than {seconds} s.")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Also when it is stopped, its processes are, and its folders are gone."""
    sys.exit(143)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Runfold, with what the machine gives.")
    parser.add_argument("--quick", action="store_true", help="small numbers, once: shows that it works, nothing more")
    parser.add_argument(
        "--only", action="append", choices=[*GROUPS, *SCENARIOS], metavar="NAME", help=", ".join(GROUPS)
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="write what is found there, and keep none of it")
    return parser
