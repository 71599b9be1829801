"""How fairly, and how fast, the core hands out runs from many queues and many concurrency keys."""

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from bench.core import PAYLOAD, Core
from bench.figures import Chapter, Figure, quantile, quantiles
from domain.events import Queue, TaskSettings
from domain.lifecycle import NewRun

RUNS, QUICK_RUNS = 100_000, 2_000
KEYS, QUICK_KEYS = 1_000, 50
QUEUED, QUICK_QUEUED = 1_000_000, 10_000
QUEUES = 100
SMALL = 10
"""How many runs each key has beside the large one."""
TURNS, QUICK_TURNS = 10_000, 500
BATCH, WANT = 1_000, 100
TASK = "nothing"


def measure(folder: Path, *, quick: bool) -> Chapter:  # noqa: ARG001 (nothing is stored)
    """Fill the queues, and take from them."""
    runs, keys = (QUICK_RUNS, QUICK_KEYS) if quick else (RUNS, KEYS)
    queued, turns = (QUICK_QUEUED, QUICK_TURNS) if quick else (QUEUED, TURNS)
    alone = f"{runs:,} runs over {keys:,} keys of limit 1"
    beside = f"one key of {runs:,} beside {keys - 1:,} of {SMALL}"
    many = f"{queued:,} runs over {QUEUES} queues"
    megabytes, microseconds = _from_many_queues(queued, turns)
    figures = [
        Figure(f"{alone}: handed out and done", "runs/s", (_of_limit_one(runs, keys),)),
        Figure(f"{beside}: the small ones' p95 to start", "hand-outs", (_beside_a_large_one(runs, keys),)),
        *quantiles(f"{many}: a turn that takes one run", "µs", [microseconds]),
        Figure(f"{many}: memory", "MB", (megabytes,)),
    ]
    about = (
        "The core alone: nothing is stored or sent. Each hand-out is the worker's turn that ends the run before, and"
        f" decides which one is next. {(keys - 1) * SMALL:,} small runs can start within twice as many hand-outs at"
        " best; first come, first served they would wait for the large key."
    )
    return Chapter("Fairness between queues and keys", about, figures)


def _of_limit_one(runs: int, keys: int) -> float:
    core = Core(TaskSettings(TASK, queue=Queue(TASK, 1)), keeps_records=False)
    _fill(core, (_new(number, key=f"key-{number % keys}") for number in range(runs)))
    begun, done = time.perf_counter(), 0
    while got := core.turn(WANT):
        done += got
    assert done == runs, "every run is handed out"
    return runs / (time.perf_counter() - begun)


def _beside_a_large_one(runs: int, keys: int) -> float:
    core = Core(keeps_records=False)
    small = (f"key-{1 + number % (keys - 1)}" for number in range((keys - 1) * SMALL))
    _fill(core, (_new(number, key=key) for number, key in enumerate(chain(["key-0"] * runs, small))))
    started: list[float] = []
    handed = 0
    while core.turn(1):
        handed += 1
        started += [handed for run in core.handed if int(run.partition("_")[2], 16) >= runs]
        if len(started) == (keys - 1) * SMALL:
            break
    return quantile(started, 0.95)


def _from_many_queues(runs: int, turns: int) -> tuple[float, list[float]]:
    """The memory that the queued runs take, and the microseconds of each turn."""
    tasks = [TaskSettings(TASK, queue=Queue("queue-0"))]
    tasks += [TaskSettings(f"{TASK}-{number}", queue=Queue(f"queue-{number}")) for number in range(1, QUEUES)]
    core = Core(*tasks, keeps_records=False)
    before = resident()
    _fill(core, (_new(number, task=tasks[number % QUEUES].id) for number in range(runs)))
    memory = resident() - before
    took: list[float] = []
    for _ in range(turns):
        begun = time.perf_counter()
        core.turn(1)
        took.append((time.perf_counter() - begun) * 1e6)
    return memory, took


def _new(number: int, *, task: str = TASK, key: str | None = None) -> NewRun:
    return NewRun(f"run_{number:032x}", task, PAYLOAD, payload_size=1, concurrency_key=key)


def _fill(core: Core, new: Iterable[NewRun]) -> None:
    for batch in _batches(new):
        core.accept(batch)


def _batches(new: Iterable[NewRun]) -> Iterator[list[NewRun]]:
    batch: list[NewRun] = []
    for each in new:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def resident() -> float:
    """The memory that this process has now, in MB."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1_000
    raise AssertionError("Linux says how much memory a process has")
