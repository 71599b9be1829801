"""The read models in a PostgreSQL database: rows that follow the ledger, and what is asked of them."""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import LiteralString

from psycopg.rows import tuple_row

from adapters.postgres import read_models_executions, read_models_listings, read_models_waitpoints
from adapters.postgres.database import SCHEMA, plain
from adapters.postgres.line import ANSWER_SECONDS
from adapters.postgres.read_models_list import page
from adapters.postgres.read_models_rebuild import PostgresRebuild
from adapters.postgres.read_models_schema import spelled
from adapters.postgres.read_models_snapshot import ROWS_AT_A_TIME, PostgresSnapshot
from adapters.postgres.read_models_store import (
    IN_ORDER,
    LOCK_TRACKED,
    READ_TRACKED,
    Store,
    create,
    head_and_shape,
    storable,
    track,
)
from adapters.postgres.read_models_write import project, store
from adapters.read_models_rows import states_of, to_attempt, to_run
from adapters.read_models_schedules import to_schedule
from adapters.read_models_steps import unfollowed
from adapters.read_models_tables import LEDGER, current
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

RUN: LiteralString = spelled("select {run} from run_rows where id = %s")
ATTEMPTS: LiteralString = "select run, number, detail from attempt_rows where run = any(%s) order by run, number"
STATES: LiteralString = "select stream, detail from state_rows"
WAITING: LiteralString = spelled("select {run} from run_rows where finished_at is null and status = 'QUEUED'")
SCHEDULE: LiteralString = "select id, environment, created_at, detail from schedule_rows where id = %s"
SCHEDULES: LiteralString = """
select id, environment, created_at, detail from schedule_rows where environment = %s
order by created_at desc, id desc limit %s offset %s
"""
COUNT_SCHEDULES: LiteralString = "select count(*) from schedule_rows where environment = %s"
UNFINISHED: LiteralString = spelled("""
select queue, status, count(*) from run_rows
where environment = {number} and finished_at is null group by environment, queue, status
""")
BY_STATUS: LiteralString = spelled("""
select status, sum(runs)::bigint from (
    select status, count(*) as runs from run_rows where environment = {number} group by task, status
) as of_tasks group by status
""")
STILL_GOING_ON: LiteralString = spelled("""
select id from run_rows
where environment = {number} and finished_at is null
and (detail::json ->> 'born')::bigint <= %(position)s limit %(limit)s
""")
WENT_ON: LiteralString = spelled("""
select part.run from unnest(%(spans)s::bigint[], %(firsts)s::bigint[]) as wanted (span, first)
cross join lateral (
    select run from lasting_rows
    where environment = {number} and span = wanted.span and born > wanted.first
    and born <= %(position)s and ended > %(position)s limit %(limit)s
) as part
""")
TABLES: LiteralString = "select 'run_rows'::regclass::oid::bigint"
# A lost tail is followed again. The rows of a batch are found one by one by their keys: of some thousand that are to
# change the planner would make a join, and read a table of ten times as many from end to end for it.
FOLLOWING: LiteralString = """
select set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
"""


class PostgresReadModels:
    """The rows of every projection, in one schema of a database; they are made if there are none.

    Calls block and may come from several threads. All raise Unavailable when the database does not answer.
    """

    def __init__(self, url: str, schema: str = SCHEMA) -> None:
        self._store = Store(url, schema)
        self._known = Known()
        self._has_failed = False
        create(self._store)

    def position(self) -> Head:
        """How far the ledger was followed, and the rolling hash at that event."""
        return head_and_shape(self._store.rows(READ_TRACKED, (LEDGER,)))[0]

    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        """Follow the ledger by these events, the last of which is at `head`; returns how far it is followed now.

        What was followed already is passed over. Raises OutOfStep when events before these are missing, or when the
        rows are of another shape; then nothing helps but a rebuild.
        """
        assert not records or records[-1].position == head.position, "the head is that of the last event"
        if self._has_failed:
            # Perhaps because of one who holds the lock and will never say what to do with it.
            self._store.end_silent(ANSWER_SECONDS)
        self._has_failed = True
        followed = self._apply(records, head)
        self._has_failed = False
        return followed

    def _apply(self, records: Sequence[Recorded], head: Head) -> Head:
        with self._store.writing(ANSWER_SECONDS) as cursor:
            with cursor.connection.pipeline(), plain(cursor.connection) as number:
                cursor.connection.execute(FOLLOWING)
                # Whoever else follows or rebuilds waits here, so that no two of them interleave.
                cursor.execute(LOCK_TRACKED, (LEDGER,))
                ((tables,),) = number.execute(TABLES).fetchall()
            at, is_our_shape = head_and_shape(cursor.fetchall())
            new = unfollowed(records, head, at, is_our_shape=is_our_shape)
            if not new:
                return at
            self._known.begin(at, tables)
            loaded, changes = project(cursor, new, current, self._known)
            store(cursor, changes, current)
            track(cursor, LEDGER, head)
            # If this is not committed in the end, the next batch does not begin at that head.
            self._known.learn(loaded, changes, head, tables)
        return head

    def get(self, run: str) -> RunRow | None:
        """One run, None if there is none."""
        rows = self._store.rows(RUN, (storable(run),))
        return to_run(rows[0]) if rows else None

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
        return page(self._store, environment, wanted, limit, after, before)

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
        return read_models_waitpoints.page(self._store, environment, wanted, limit, after, before)

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
        return read_models_executions.page(self._store, environment, wanted, order, limit, offset, after)

    def list_schedules(self, environment: str, *, offset: int, limit: int) -> tuple[list[ScheduleRow], int]:
        """A page of schedules, the newest first, behind the first `offset`, and how many there are in all."""
        ((count,),) = self._store.rows(COUNT_SCHEDULES, (environment,))
        rows = self._store.rows(SCHEDULES, (environment, limit, offset))
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
        return read_models_listings.page(self._store, environment, wanted, limit, after, before)

    def get_schedule(self, schedule: str) -> ScheduleRow | None:
        """One schedule, None if there is none (any more)."""
        rows = self._store.rows(SCHEDULE, (storable(schedule),))
        return to_schedule(rows[0]) if rows else None

    def attempts_of(self, runs: Collection[str]) -> dict[str, list[AttemptRow]]:
        """The attempts of each of these runs, in order."""
        attempts: dict[str, list[AttemptRow]] = {run: [] for run in runs}
        for attempt in map(to_attempt, self._store.rows(ATTEMPTS, ([storable(run) for run in attempts],))):
            attempts[attempt.run].append(attempt)
        return attempts

    def going_on(self, environment: str, position: int, limit: int) -> list[str]:
        """At most `limit` runs that had begun at a position and were not over, by their ids.

        Those that were over less than LASTING_MIN positions after they began are not among them.
        """
        # In this order: a run that ends between the two questions is in at least one of the answers.
        asked = {"environment": environment, "position": position, "limit": limit}
        found: set[str] = {run for (run,) in self._store.rows(STILL_GOING_ON, asked)}
        lengths = list(spans(self.position().position))
        firsts = [position - 2**span for span in lengths]
        parts = self._store.listed(WENT_ON, asked | {"spans": lengths, "firsts": firsts})
        found |= {run for (run,) in parts}
        return sorted(found)[:limit]

    def queues(self, environment: str) -> list[QueueRow]:
        """The queues that have unfinished runs, by name."""
        counts = self._store.rows(UNFINISHED, {"environment": environment})
        return add_up((environment, queue, Status(status), runs) for queue, status, runs in counts)

    def count_by_status(self, environment: str) -> dict[Status, int]:
        """How many runs there are in each status that any is in."""
        return {Status(status): runs for status, runs in self._store.rows(BY_STATUS, {"environment": environment})}

    def checkpoint(self) -> tuple[list[State], Head, bool]:
        """The states that the engine keeps, where in the ledger they were so, and whether they are of our shape.

        Of another shape no state can be read; there are none then, and the read models are to be rebuilt.
        """
        with self._store.snapshot() as connection, plain(connection) as cursor:
            head, is_ours = head_and_shape(cursor.execute(READ_TRACKED, (LEDGER,)).fetchall())
            if not is_ours:
                return [], head, is_ours
            # Where most runs are over, their index has what all rows would have to be read for.
            cursor.execute(IN_ORDER)
            # Cursors with names stay in the server, so that not all rows are in memory here.
            with (
                connection.cursor("kept", row_factory=tuple_row) as kept,
                connection.cursor("waiting", row_factory=tuple_row) as waiting,
            ):
                kept.itersize = waiting.itersize = ROWS_AT_A_TIME
                return states_of(kept.execute(STATES), waiting.execute(WAITING)), head, is_ours

    def start_rebuild(self) -> PostgresRebuild:
        """Begin a second set of tables; those that are read stay as they are until the two are swapped."""
        return PostgresRebuild(self._store)

    @contextmanager
    def snapshot(self) -> Generator[PostgresSnapshot]:
        """All rows as they are at one tracked position."""
        with self._store.snapshot() as connection:
            yield PostgresSnapshot(connection)

    def scrub(self, *, is_whole: bool = False) -> None:
        """Free the place of what was erased: no statement finds it any more. If `is_whole`, write the tables anew."""
        for table in ("run_rows", "attempt_rows", "tag_rows"):
            self._store.vacuum(table, is_whole=is_whole)

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()
