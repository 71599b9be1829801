"""A ledger of many runs with its read models, as an engine under full load would have left them."""

import random
import time
from collections.abc import Iterator

from msgspec import Raw, Struct

from adapters.ids import Uuid7Ids
from app.engine.backends import Database
from app.engine.environments import digest_of
from app.engine.rebuild import rebuild
from bench import databases
from bench.processes import KEY
from domain import events as e
from domain.events import Event, Recorded, RunError, TaskSettings
from domain.ports import START

START_MS = 1_800_000_000_000
WAVE = 1_000
WAVE_MS = 250
BATCH = 100
TASKS = tuple(f"task-{number:02}" for number in range(20))
TAGS = tuple(f"tag-{number:03}" for number in range(100))
QUEUE = "reports"
VERSION = "20270115.1"
WORKER = "worker_00000000000000000000000000000000"
FAILED_SHARE, TAGGED_SHARE, QUEUED_SHARE = 0.01, 0.1, 0.05
# Who and what an event goes back to; all others are reports of the worker.
_CLIENT = ("key:0123456789ab", "POST /api/v1/tasks/task-00/batch")
_ORIGINS: dict[type[Event], tuple[str, str]] = {
    e.EnvironmentCreated: ("engine", "start"),
    e.ApiKeyCreated: ("engine", "start"),
    e.VersionRegistered: ("key:0123456789ab", "POST /worker/v1/register"),
    e.RunTriggered: _CLIENT,
    e.BatchTriggered: _CLIENT,
    e.BatchCompleted: ("engine", "run_00000000000000000000000000000000"),
    e.RunDequeued: ("engine", f"worker:{WORKER}"),
    e.RunFailed: ("retry", "event:1234567"),
}


class Corpus(Struct, frozen=True):
    """What is in a ledger, and how long it took to write."""

    environment: str
    runs: tuple[str, ...]
    events: int
    append_seconds: float
    apply_seconds: float
    """By following, or by a rebuild."""


class Story:
    """Valid events in the order in which an engine records them: the runs of one wave end while the next one begins.

    Runs come in batches and are done by one worker; some have a tag or a queue of their own, one in a hundred fails.
    """

    def __init__(self) -> None:
        self.environment = Uuid7Ids(random.Random(0).randbytes).new("env", START_MS)
        self.runs: list[str] = []
        self._random = random.Random(1)
        self._ids = Uuid7Ids(self._random.randbytes)
        self._wall = START_MS
        self._position = 0
        self._open: list[tuple[str, bool]] = []
        self._batches: dict[str, str] = {}
        self._unfinished: dict[str, int] = {}

    def opening(self) -> list[Recorded]:
        """The environment, its key and its tasks."""
        made: list[Event] = [
            e.EnvironmentCreated("prod", "PRODUCTION"),
            e.ApiKeyCreated(digest_of(KEY), "tr_prod_…"),
            e.VersionRegistered(VERSION, "0", tuple(TaskSettings(task) for task in TASKS)),
        ]
        return [self._record(self.environment, version, event) for version, event in enumerate(made, 1)]

    def waves(self, runs: int) -> Iterator[list[Recorded]]:
        """All events of so many runs, about 4,000 at a time."""
        for start in range(0, runs, WAVE):
            self._wall += WAVE_MS
            yield [*self._begin(min(WAVE, runs - start)), *self._end(self._open[:-WAVE])]
        self._wall += WAVE_MS
        yield [*self._end(self._open)]

    def queued(self, runs: int) -> Iterator[list[Recorded]]:
        """The events of so many runs that nobody has taken yet."""
        for start in range(0, runs, WAVE):
            self._wall += WAVE_MS
            yield list(self._begin(min(WAVE, runs - start)))

    def _begin(self, runs: int) -> Iterator[Recorded]:
        for start in range(0, runs, BATCH):
            batch = self._ids.new("batch", self._wall)
            begun = [self._ids.new("run", self._wall) for _ in range(min(BATCH, runs - start))]
            for run in begun:
                yield self._record(run, 1, self._triggered(batch))
            yield self._record(batch, 1, e.BatchTriggered(tuple(begun)))
            self._batches.update(dict.fromkeys(begun, batch))
            self._unfinished[batch] = len(begun)
            self.runs += begun
            self._open += [(run, self._random.random() < FAILED_SHARE) for run in begun]

    def _end(self, open_runs: list[tuple[str, bool]]) -> Iterator[Recorded]:
        ended = list(open_runs)
        self._open = self._open[len(ended) :]
        for start in range(0, len(ended), BATCH):
            part = ended[start : start + BATCH]
            for run, _ in part:
                yield self._record(run, 2, e.RunDequeued(2, WORKER, VERSION))
            for run, fails in part:
                yield self._record(run, 3, e.AttemptStarted(1, 2, WORKER, VERSION))
                if fails:
                    error = RunError("no such city", "ValueError", 'File "tasks.py", line 7, in send_report')
                    yield self._record(run, 4, e.AttemptFailed(1, 2, error))
                    yield self._record(run, 5, e.RunFailed(error))
                else:
                    yield self._record(run, 4, e.AttemptSucceeded(1, 2, Raw(b'{"sent":true}')))
                yield from self._complete(self._batches.pop(run))

    def _complete(self, batch: str) -> Iterator[Recorded]:
        """The end of the batch, if it was its last run that ended."""
        self._unfinished[batch] -= 1
        if not self._unfinished[batch]:
            del self._unfinished[batch]
            yield self._record(batch, 2, e.BatchCompleted())

    def _triggered(self, batch: str) -> e.RunTriggered:
        draw = self._random.random
        task = TASKS[int(draw() * len(TASKS))]
        payload = Raw(b'{"to":"ada","subject":"Hello"}')
        return e.RunTriggered(
            task=task,
            queue=QUEUE if draw() < QUEUED_SHARE else f"task/{task}",
            payload=payload,
            payload_size=len(bytes(payload)),
            tags=(TAGS[int(draw() * len(TAGS))],) if draw() < TAGGED_SHARE else (),
            batch=batch,
        )

    def _record(self, stream: str, version: int, event: Event) -> Recorded:
        self._position += 1
        actor, cause = _ORIGINS.get(type(event), (f"worker:{WORKER}", "turn:12345"))
        return Recorded(
            position=self._position,
            stream=stream,
            version=version,
            environment=self.environment,
            occurred_at=self._wall,
            recorded_at=self._wall,
            actor=actor,
            cause=cause,
            event=event,
        )


def write(url: str, runs: int) -> Corpus:
    """Fill a new database: a file the way an engine and its follower do, PostgreSQL by a rebuild, which is faster."""
    with databases.opened(url) as database:
        return Writing(database, follows=not url.startswith("postgres")).finish(runs)


class Writing:
    """A ledger that grows, with read models that follow it at each step or are made anew in the end."""

    def __init__(self, database: Database, *, follows: bool) -> None:
        self._database = database
        self._follows = follows
        self._story = Story()
        self._head = START
        self._append_seconds = self._apply_seconds = 0.0

    def finish(self, runs: int) -> Corpus:
        """So many more runs, all of which have ended."""
        return self._write(self._story.waves(runs))

    def queue(self, runs: int) -> Corpus:
        """So many more runs, all of which wait for a worker."""
        return self._write(self._story.queued(runs))

    def _write(self, waves: Iterator[list[Recorded]]) -> Corpus:
        if self._head == START:
            self._append(self._story.opening())
        for records in waves:
            self._append(records)
        if not self._follows:
            begun = time.perf_counter()
            rebuild(self._database.ledger, self._database.read_models)
            self._apply_seconds += time.perf_counter() - begun
        made = self._story
        return Corpus(
            made.environment, tuple(made.runs), self._head.position, self._append_seconds, self._apply_seconds
        )

    def _append(self, records: list[Recorded]) -> None:
        begun = time.perf_counter()
        self._head = self._database.ledger.append(records, {}, after=self._head)
        self._append_seconds += time.perf_counter() - begun
        if self._follows:
            begun = time.perf_counter()
            self._database.read_models.apply(records, self._head)
            self._apply_seconds += time.perf_counter() - begun
