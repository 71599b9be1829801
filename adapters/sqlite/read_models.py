"""The read models in one SQLite file: rows that follow the ledger, and what is asked of them."""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import json

from adapters.read_models_rows import states_of, to_attempt
from adapters.read_models_schedules import to_schedule
from adapters.read_models_steps import unfollowed
from adapters.read_models_tables import LEDGER, current
from adapters.sqlite import read_models_executions, read_models_listings, read_models_waitpoints
from adapters.sqlite.read_models_list import page, runs_by_id
from adapters.sqlite.read_models_rebuild import SqliteRebuild
from adapters.sqlite.read_models_snapshot import SqliteSnapshot
from adapters.sqlite.read_models_store import Store, create, track, tracked
from adapters.sqlite.read_models_write import project, store
from domain.events import Recorded
from domain.ports import Head
from domain.states import State
from domain.status import Status
from projections.attempts import AttemptRow
from projections.executions import ExecutionFilter, Order, Place
from projections.filters import RunFilter
from projections.known import Known
from projections.lasting import spans
from projections.listings import ListingFilter, ListingRow
from projections.queues import QueueRow, add_up
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WaitpointFilter, WaitpointRow

MEMORY = ":memory:"
ATTEMPTS = """
select run, number, detail from attempt_rows where run in (select value from json_each(?)) order by run, number
"""
STATES = "select stream, detail from state_rows"
WAITING = """
select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
from run_rows where finished_at is null and status = 'QUEUED'
"""
SCHEDULE = "select id, environment, created_at, detail from schedule_rows where id = ?"
SCHEDULES = """
select id, environment, created_at, detail from schedule_rows where environment = ?
order by created_at desc, id desc limit ? offset ?
"""
COUNT_SCHEDULES = "select count(*) from schedule_rows where environment = ?"
UNFINISHED = """
select environment, queue, status, count(*) from run_rows
where environment = ? and finished_at is null group by queue, status
"""
BY_STATUS = """
select status, sum(runs) from (
    select status, count(*) as runs from run_rows where environment = ? group by task, status
) group by status
"""

STILL_GOING_ON = """
select id from run_rows
where environment = :environment and finished_at is null and json_extract(detail, '$.born') <= :position limit :limit
"""
WENT_ON = """
select run from lasting_rows
where environment = :environment and span = :span and born > :first and born <= :position and ended > :position
limit :limit
"""


class SqliteReadModels:
    """The rows of every projection, in a file, or in memory under a `name` when the path is ":memory:".

    Calls block and may come from several threads. All raise Unavailable when the database does not answer.
    """

    def __init__(self, path: Path | str, *, name: str = "read_models") -> None:
        self._in_memory = in_memory = str(path) == MEMORY
        self._store = Store(f"file:{name}?mode=memory&cache=shared" if in_memory else Path(path).absolute().as_uri())
        self._known = Known()
        create(self._store)

    def position(self) -> Head:
        """How far the ledger was followed, and the rolling hash at that event."""
        with self._store.reading() as cursor:
            return tracked(cursor)[0]

    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        """Follow the ledger by these events, the last of which is at `head`; returns how far it is followed now.

        What was followed already is passed over. Raises OutOfStep when events before these are missing, or when the
        rows are of another shape; then nothing helps but a rebuild.
        """
        assert not records or records[-1].position == head.position, "the head is that of the last event"
        with self._store.writing() as cursor:
            # Whoever rebuilt meanwhile has moved the position, so it is read where it is moved again.
            at, is_our_shape = tracked(cursor)
            new = unfollowed(records, head, at, is_our_shape=is_our_shape)
            if not new:
                return at
            (tables,) = cursor.execute("pragma user_version").fetchone()
            self._known.begin(at, tables)
            loaded, changes = project(cursor, new, current, self._known)
            store(cursor, changes, current)
            track(cursor, LEDGER, head)
            # If this is not committed in the end, the next batch does not begin at that head.
            self._known.learn(loaded, changes, head, tables)
        return head

    def get(self, run: str) -> RunRow | None:
        """One run, None if there is none."""
        with self._store.reading() as cursor:
            rows = runs_by_id(cursor, [run])
        return rows[0] if rows else None

    def list_runs(
        self,
        environment: str,
        wanted: RunFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[RunRow], bool]:
        """A page of at most `limit` runs, newest first, and whether there are more beyond it.

        `after` is the last run of the page before, `before` the first one of the page behind.
        """
        with self._store.reading() as cursor:
            return page(cursor, environment, wanted, limit, after, before)

    def list_waitpoints(
        self,
        environment: str,
        wanted: WaitpointFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[WaitpointRow], bool]:
        """A page of at most `limit` tokens, newest first, and whether there are more beyond it.

        `after` is the last token of the page before, `before` the first one of the page behind.
        """
        with self._store.reading() as cursor:
            return read_models_waitpoints.page(cursor, environment, wanted, limit, after, before)

    def list_executions(
        self,
        environment: str,
        wanted: ExecutionFilter,
        order: Order,
        limit: int,
        *,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[list[RunRow], bool]:
        """The runs of at most `limit` executions in this order, past `offset` of them, and whether there are more."""
        with self._store.reading() as cursor:
            return read_models_executions.page(cursor, environment, wanted, order, limit, offset, after)

    def list_schedules(self, environment: str, *, offset: int, limit: int) -> tuple[list[ScheduleRow], int]:
        """A page of schedules, the newest first, behind the first `offset`, and how many there are in all."""
        with self._store.reading() as cursor:
            (count,) = cursor.execute(COUNT_SCHEDULES, (environment,)).fetchone()
            rows = cursor.execute(SCHEDULES, (environment, limit, offset)).fetchall()
        return list(map(to_schedule, rows)), count

    def list_listings(
        self,
        environment: str,
        wanted: ListingFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[ListingRow], bool]:
        """A page of at most `limit` named events or batches, newest first, and whether there are more beyond it.

        `after` is the place of the last row of the page before, `before` that of the first one of the page behind.
        """
        with self._store.reading() as cursor:
            return read_models_listings.page(cursor, environment, wanted, limit, after, before)

    def get_schedule(self, schedule: str) -> ScheduleRow | None:
        """One schedule, None if there is none (any more)."""
        with self._store.reading() as cursor:
            row = cursor.execute(SCHEDULE, (schedule,)).fetchone()
        return to_schedule(row) if row else None

    def attempts_of(self, runs: Collection[str]) -> dict[str, list[AttemptRow]]:
        """The attempts of each of these runs, in order."""
        attempts: dict[str, list[AttemptRow]] = {run: [] for run in runs}
        with self._store.reading() as cursor:
            for attempt in map(to_attempt, cursor.execute(ATTEMPTS, (json.encode(list(attempts)).decode(),))):
                attempts[attempt.run].append(attempt)
        return attempts

    def going_on(self, environment: str, position: int, limit: int) -> list[str]:
        """At most `limit` runs that had begun at a position and were not over, by their ids.

        Those that were over less than LASTING_MIN positions after they began are not among them.
        """
        asked = {"environment": environment, "position": position, "limit": limit}
        with self._store.reading() as cursor:
            found = [run for (run,) in cursor.execute(STILL_GOING_ON, asked)]
            for span in spans(tracked(cursor)[0].position):
                part = asked | {"span": span, "first": position - 2**span}
                found += [run for (run,) in cursor.execute(WENT_ON, part)]
        return sorted(found)[:limit]

    def queues(self, environment: str) -> list[QueueRow]:
        """The queues that have unfinished runs, by name."""
        with self._store.reading() as cursor:
            counts = cursor.execute(UNFINISHED, (environment,)).fetchall()
        return add_up((environment, queue, Status(status), runs) for environment, queue, status, runs in counts)

    def count_by_status(self, environment: str) -> dict[Status, int]:
        """How many runs there are in each status that any is in."""
        with self._store.reading() as cursor:
            return {Status(status): runs for status, runs in cursor.execute(BY_STATUS, (environment,))}

    def checkpoint(self) -> tuple[list[State], Head, bool]:
        """The states that the engine keeps, where in the ledger they were so, and whether they are of our shape.

        Of another shape no state can be read; there are none then, and the read models are to be rebuilt.
        """
        with self._store.reading() as cursor:
            head, is_ours = tracked(cursor)
            if not is_ours:
                return [], head, is_ours
            kept, waiting = (cursor.connection.execute(statement) for statement in (STATES, WAITING))
            return states_of(kept, waiting), head, is_ours

    def start_rebuild(self) -> SqliteRebuild:
        """Begin a second set of tables; those that are read stay as they are until the two are swapped."""
        return SqliteRebuild(self._store)

    @contextmanager
    def snapshot(self) -> Generator[SqliteSnapshot]:
        """All rows as they are at one tracked position."""
        with self._store.reading() as cursor:
            yield SqliteSnapshot(cursor)

    def scrub(self, *, is_whole: bool = False) -> None:
        """Let nothing of what was erased stay behind in the files; in memory there is nothing to do."""
        if not self._in_memory:
            self._store.scrub(is_whole=is_whole)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()
