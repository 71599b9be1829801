"""A model of the choice among ready runs, which looks at all of them each time; limits are set at will."""

from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from domain.events import RateLimit
from domain.limits import Gate
from domain.ready import Kind, ReadyRuns, slots_of
from domain.run import Run
from domain.status import Status

ENVIRONMENT = "env_1"
PERIOD_MS = 10


class Model:
    """Runs, the limits of their queues, and the choice that must be made."""

    def __init__(self) -> None:
        self.now = 1
        self.runs: dict[str, Run] = {}
        self.limits: dict[str, int | None] = {}
        self.paused: set[str] = set()
        self.opens: dict[str, int] = {}
        self.in_all: int | None = None
        self.ready = ReadyRuns(self.runs.get, self)
        self.served: dict[object, int] = {}
        self._turn = count(1)
        self._ids = count(1)

    def gate(self, environment: str, queue: str) -> Gate:
        rate = RateLimit(1, PERIOD_MS) if queue in self.opens else None
        limit = self.limits.get(queue)
        return Gate(limit, limit, queue in self.paused, rate, None)

    def limit_in_all(self, environment: str) -> int | None:
        return self.in_all

    def forget(self, environment: str, queue: str) -> None:
        """It keeps nothing that could be forgotten."""

    def opens_at(self, environment: str, queue: str, now: int) -> int | None:
        return None if queue in self.paused else max(now, self.opens.get(queue, 0))

    def put(self, run: Run) -> None:
        """A run changes, and the lines that it enters or leaves with it."""
        before = self.runs.get(run.id)
        for line in ((run.queue,), (run.queue, run.concurrency_key)):
            waited = any(stands_in(other, line) for other in self.runs.values())
            if is_ready(run) and not waited:
                self.served[line] = next(self._turn)
        self.runs[run.id] = run
        self.ready.replace(before, run)

    def add(self, queue: str, key: str | None, task: str, priority: int = 0) -> str:
        """Another ready run."""
        run = f"run_{next(self._ids):05}"
        now = self.now
        state = Run(run, ENVIRONMENT, task, queue, Status.QUEUED, 1, now, now, now, 2, priority, key)
        self.put(state)
        return run

    def start(self, run: str) -> None:
        """Hand it out."""
        self.put(replace(self.runs[run], status=Status.DEQUEUED, token=2, worker="w"))

    def open(self) -> list[Run]:
        """The runs with an open attempt."""
        return [run for run in self.runs.values() if run.token is not None]

    def change(self, queue: str | None = None) -> None:
        """The limits of a queue are others by now."""
        self.ready.reopen(ENVIRONMENT, queue)

    def choose(self, may_take: Callable[[Kind], bool]) -> str | None:
        """The run that must be next, found by looking at all of them."""
        if self.in_all is not None and len(self.open()) >= self.in_all:
            return None
        able = [run for run in self.runs.values() if is_ready(run) and may_take(_kind(run)) and self._is_open(run)]
        if not able:
            return None
        first = min(
            able,
            key=lambda run: (
                self.served[run.queue,],
                self.served[run.queue, run.concurrency_key],
                run.queued_at - run.priority * 1_000,
                run.id,
            ),
        )
        self.served[first.queue,] = self.served[first.queue, first.concurrency_key] = next(self._turn)
        return first.id

    def _is_open(self, run: Run) -> bool:
        if run.queue in self.paused or self.opens.get(run.queue, 0) > self.now:
            return False
        limit = self.limits.get(run.queue)
        return limit is None or sum(slots_of(other) == slots_of(run) for other in self.open()) < limit

    def take(self, want: int, may_take: Callable[[Kind], bool] = lambda _kind: True) -> list[str]:
        """What a worker gets, and that it is what it must get."""
        got: list[str] = []
        self.ready.wake(self.now)
        if want:
            for run in self.ready.take(ENVIRONMENT, may_take, self.now):
                assert run.id == self.choose(may_take)
                self.start(run.id)
                got.append(run.id)
                if len(got) == want:
                    break
        if len(got) < want:
            assert self.choose(may_take) is None, "nobody waits while a slot is free"
        return got


def is_ready(run: Run) -> bool:
    """Whether it waits to be handed out."""
    return run.status is Status.QUEUED


def stands_in(run: Run, line: tuple[str | None, ...]) -> bool:
    """Whether it waits in the line of this queue, or of this key of it."""
    return is_ready(run) and line == (run.queue, run.concurrency_key)[: len(line)]


def _kind(run: Run) -> Kind:
    return Kind(run.task, run.lock, run.last_version, run.machine)
