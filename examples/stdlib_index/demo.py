"""Index the Python standard library of this machine: an engine, a worker, and one run for each module.

Give it a folder to index that one instead, and `--database postgres` to keep the ledger there.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import runfold
from examples.stdlib_index import report
from examples.stdlib_index.database import POSTGRES, SQLITE, database
from examples.stdlib_index.library import STANDARD_LIBRARY, broken_among, modules_in, parses, truncated_copies
from examples.stdlib_index.processes import COMMAND, DemoError, Running, engine_and_worker
from examples.stdlib_index.report import console
from runfold import BatchItem, Run
from runfold.config import current_settings

TASKS = Path(__file__).with_name("tasks.py")
BATCH = 500
DEADLINE_SECONDS = 600
LOOK_AGAIN_SECONDS = 0.1
ENDS = {"AttemptSucceeded", "RunFailed", "RunCanceled", "RunExpired", "RunTimedOut", "RunCrashed", "RunSystemFailed"}


@dataclass
class Triggered:
    """Which run indexes which module, and the run that fails first."""

    names: dict[str, str]
    retried: str

    @property
    def runs(self) -> set[str]:
        return {*self.names, self.retried}


@dataclass
class Followed:
    """What the ledger has told so far."""

    ended: set[str] = field(default_factory=set[str])
    totals: Counter[str] = field(default_factory=Counter[str])


def main(source: Path, kind: str) -> None:
    if not COMMAND.exists():
        raise DemoError(f"There is no {COMMAND}: install Runfold first, or let `make demo` do it.")
    folder = Path(tempfile.mkdtemp(prefix="runfold-demo-"))
    modules = dict(modules_in(source))
    broken = broken_among(modules)
    if not broken:
        copies = dict(truncated_copies(modules, folder / "truncated"))
        modules, broken = modules | copies, set(copies)
    with database(kind) as variables, engine_and_worker(folder, TASKS, variables) as processes:
        os.environ.update(variables)
        where = "a PostgreSQL of its own" if variables else folder
        console.print(f"An engine with its ledger in {where},\na worker with {TASKS}\n", soft_wrap=True)
        started = time.monotonic()
        triggered = trigger(modules)
        followed = follow(triggered.runs, processes)
        took = time.monotonic() - started
        runs = list(runfold.runs.list(limit=100))
        console.print(
            f"{len(runs)} runs in {took:.1f} s: {followed.totals['lines']:,} lines with "
            f"{followed.totals['functions']:,} functions and {followed.totals['classes']:,} classes.\n"
        )
        report.print_statuses(runs)
        report.print_failed(runs, triggered.names)
        report.print_slowest(runs, triggered.names)
        report.show(folder, "runs", "events", triggered.retried)
        report.show(folder, "projections", "verify")
        check(runs, triggered, modules, broken)
    if kind == POSTGRES:
        # Without the database nothing in it is of use.
        shutil.rmtree(folder)
        report.say_that_it_is_over()
    else:
        report.say_how_to_go_on(folder, triggered.retried, next(run.id for run in runs if run.is_failed))


def trigger(modules: Mapping[str, Path]) -> Triggered:
    """One run for each module, in batches, and the one that is retried."""
    retried = runfold.tasks.trigger("fail-first-attempt-by-design", tags="by-design")
    names: dict[str, str] = {}
    for names_of_batch in _in_batches(sorted(modules)):
        items = [BatchItem({"name": name, "path": str(modules[name])}) for name in names_of_batch]
        batch = runfold.tasks.batch_trigger("index-module", items)
        names |= zip((run.id for run in batch.runs), names_of_batch, strict=True)
    return Triggered(names, retried.id)


def follow(runs: set[str], processes: Iterable[Running]) -> Followed:
    """Read the ledger along, as any client can, until all runs have ended; DemoError when that cannot happen."""
    followed = Followed()
    settings = current_settings()
    deadline = time.monotonic() + DEADLINE_SECONDS
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    headers = {"authorization": f"Bearer {settings.secret_key}"}
    with Progress(*columns, console=console) as progress, httpx.Client(headers=headers) as http:
        bar = progress.add_task("runs", total=len(runs))
        position = 0
        while followed.ended != runs:
            if time.monotonic() > deadline:
                raise DemoError(f"{len(runs - followed.ended)} runs have not ended after {DEADLINE_SECONDS} s.")
            for each in processes:
                each.check()
            page = http.get(f"{settings.api_url}/api/v1/ledger/events", params={"after": position, "limit": 1000})
            news = page.raise_for_status().json()
            for event in news["events"]:
                note(event, followed)
            progress.update(bar, completed=len(followed.ended))
            if news["next"] == position:
                time.sleep(LOOK_AGAIN_SECONDS)
            position = news["next"]
    return followed


def note(event: Mapping[str, Any], followed: Followed) -> None:
    if event["type"] in ENDS:
        followed.ended.add(event["id"])
    match event["data"]:
        case {"output": {"lines": int(lines), "functions": int(functions), "classes": int(classes)}}:
            followed.totals.update(lines=lines, functions=functions, classes=classes)
        case _:
            pass


def check(runs: Sequence[Run], triggered: Triggered, modules: Mapping[str, Path], broken: set[str]) -> None:
    """Raise DemoError unless each run ended once, as it had to."""
    if sorted(run.id for run in runs) != sorted(triggered.runs):
        raise DemoError("The list of runs is not the list of what was triggered.")
    retried = runfold.runs.retrieve(triggered.retried)
    if [attempt.error is None for attempt in retried.attempts] != [False, True] or not retried.is_success:
        raise DemoError(f"The run {retried.id} had to fail once and then succeed, but is {retried}.")
    failed = {triggered.names[run.id] for run in runs if run.status == "FAILED"}
    others = [run for run in runs if run.status not in {"COMPLETED", "FAILED"}]
    wrong = broken - failed | {name for name in failed if parses(modules[name])}
    if others or wrong:
        raise DemoError(f"These runs ended otherwise than they had to: {others} {sorted(wrong)}")


def end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Also when the demo is stopped, its engine and its worker are."""
    sys.exit(143)


def _in_batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=STANDARD_LIBRARY)
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), default=SQLITE)
    given = parser.parse_args()
    try:
        main(given.folder.resolve(), given.database)
    except (DemoError, runfold.RunfoldError, httpx.HTTPError) as error:
        sys.exit(f"The demo failed: {error}")
