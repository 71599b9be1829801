"""Following the ledger: load the rows that a batch touches, fold the batch over them, store what changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, LiteralString, NamedTuple, TypeAlias

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres.arrays import Array, bigints, blobs, bools, texts
from adapters.postgres.database import plain
from adapters.postgres.read_models_schema import spelled
from adapters.read_models_executions import of_execution
from adapters.read_models_lasting import of_lasting
from adapters.read_models_listings import of_begun
from adapters.read_models_rows import of_attempt, of_run, of_state, to_attempt, to_run, to_state
from adapters.read_models_schedules import of_schedule
from adapters.read_models_tables import At
from adapters.read_models_waitpoints import of_waitpoint, of_waitpoint_tag, to_waitpoint
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from projections.attempts import OPEN, erased
from projections.fold import Changes, Loaded, Touched, fold, histories_of, touched
from projections.known import Known
from projections.waitpoints import WaitpointTagRow

LOAD_RUNS: LiteralString = spelled("select {run} from run_rows where id = any(%b)")
LOAD_ATTEMPTS: LiteralString = """
select run_rows.id, last.number, last.detail from run_rows cross join lateral (
    select number, detail from attempt_rows where run = id order by number desc limit 1
) as last
where id = any(%b) and status = any(%b)
"""
LOAD_ALL_ATTEMPTS: LiteralString = "select run, number, detail from attempt_rows where run = any(%b)"
LOAD_STATES: LiteralString = "select stream, detail from state_rows where stream = any(%b)"
LOAD_WAITPOINTS: LiteralString = """
select id, environment, status, key_digest, created_at, detail from waitpoint_rows where id = any(%b)
"""

# Each statement stores all rows of a batch, given as one array for each column. Where there are many, the arrays are
# taken apart as rows go: a function in `from` is put aside as a whole first. Rows of which nothing is stored yet are
# inserted as they are: a look for conflicts costs the server a tenth of the row.
NUMBER_ENVIRONMENTS: LiteralString = """
insert into environments (name)
select new.name from unnest(%b::text[]) as new (name) where new.name not in (select name from environments)
on conflict do nothing
"""
ADD_RUNS: LiteralString = """
insert into run_rows (
    id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
)
select new.id, environments.number, task, queue, status, version, batch, schedule, machine, is_test, created_at,
    finished_at, detail
from (
    select unnest(%b::text[]) as id, unnest(%b::text[]) as environment, unnest(%b::text[]) as task,
        unnest(%b::text[]) as queue, unnest(%b::text[]) as status, unnest(%b::text[]) as version,
        unnest(%b::text[]) as batch, unnest(%b::text[]) as schedule, unnest(%b::text[]) as machine,
        unnest(%b::boolean[]) as is_test, unnest(%b::bigint[]) as created_at, unnest(%b::bigint[]) as finished_at,
        unnest(%b::text[]) as detail
) as new
join environments on environments.name = new.environment
"""
CHANGE_RUNS: LiteralString = """
update run_rows
set status = new.status, version = new.version, machine = new.machine, finished_at = new.finished_at,
    detail = new.detail
from (
    select unnest(%b::text[]) as id, unnest(%b::text[]) as status, unnest(%b::text[]) as version,
        unnest(%b::text[]) as machine, unnest(%b::bigint[]) as finished_at, unnest(%b::text[]) as detail
) as new
where run_rows.id = new.id
"""
MOVE_RUNS: LiteralString = """
update run_rows set queue = new.queue from unnest(%b::text[], %b::text[]) as new (id, queue) where run_rows.id = new.id
"""
ADD_ATTEMPTS: LiteralString = """
insert into attempt_rows (run, number, detail) select unnest(%b::text[]), unnest(%b::bigint[]), unnest(%b::text[])
"""
STORE_ATTEMPTS: LiteralString = f"""{ADD_ATTEMPTS}
on conflict (run, number) do update set detail = excluded.detail
"""
DROP_RUNS: tuple[LiteralString, ...] = (
    "delete from run_rows where id = any(%b)",
    "delete from attempt_rows where run = any(%b)",
    "delete from execution_rows where id = any(%b)",
)
STORE_TAGS: LiteralString = """
insert into tag_rows (environment, tag, run) select * from unnest(%b::text[], %b::bytea[], %b::text[])
on conflict do nothing
"""
DROP_TAGS: LiteralString = """
delete from tag_rows using unnest(%b::text[], %b::bytea[], %b::text[]) as old (environment, tag, run)
where tag_rows.environment = old.environment and tag_rows.tag = old.tag and tag_rows.run = old.run
"""
ADD_STATES: LiteralString = """
insert into state_rows (stream, position, detail) select unnest(%b::text[]), unnest(%b::bigint[]), unnest(%b::text[])
"""
STORE_STATES: LiteralString = f"""{ADD_STATES}
on conflict (stream) do update set position = excluded.position, detail = excluded.detail
"""
STORE_WAITPOINTS: LiteralString = """
insert into waitpoint_rows (id, environment, status, key_digest, created_at, detail)
select * from unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::bigint[], %b::text[])
on conflict (id) do update set status = excluded.status, detail = excluded.detail
"""
STORE_WAITPOINT_TAGS: LiteralString = """
insert into waitpoint_tag_rows (environment, tag, status, waitpoint)
select * from unnest(%b::text[], %b::bytea[], %b::text[], %b::text[])
on conflict do nothing
"""
DROP_WAITPOINT_TAGS: LiteralString = """
delete from waitpoint_tag_rows as tagged
using unnest(%b::text[], %b::bytea[], %b::text[], %b::text[]) as old (environment, tag, status, waitpoint)
where tagged.environment = old.environment and tagged.tag = old.tag and tagged.status = old.status
and tagged.waitpoint = old.waitpoint
"""
STORE_EXECUTIONS: LiteralString = """
insert into execution_rows (id, environment, job, status, scheduled_for)
select id, number, job, status, scheduled_for
from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[]) as new (id, name, job, status, scheduled_for)
join environments using (name)
on conflict (id) do update set status = excluded.status
"""
STORE_SCHEDULES: LiteralString = """
insert into schedule_rows (id, environment, created_at, detail)
select * from unnest(%b::text[], %b::text[], %b::bigint[], %b::text[])
on conflict (id) do update set detail = excluded.detail
"""
STORE_LISTINGS: LiteralString = """
insert into listing_rows (stream, environment, kind, place, name, status, position, changed_at, detail)
select * from unnest(
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::text[]
)
on conflict (stream) do update set status = excluded.status, position = excluded.position,
    changed_at = excluded.changed_at
"""
CHANGE_LISTINGS: LiteralString = """
update listing_rows set status = new.status, position = new.position, changed_at = new.changed_at
from unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[]) as new (stream, status, position, changed_at)
where listing_rows.stream = new.stream
"""
DROP_SCHEDULES: LiteralString = "delete from schedule_rows where id = any(%b)"
STORE_LASTING: LiteralString = """
insert into lasting_rows (environment, span, born, ended, run)
select number, span, born, ended, run
from unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[]) as new (name, span, born, ended, run)
join environments using (name)
"""
DROP_LASTING: LiteralString = """
delete from lasting_rows where (environment, span, born, ended, run) in (
    select number, span, born, ended, run
    from unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[]) as old (name, span, born, ended, run)
    join environments using (name)
)
"""
Column: TypeAlias = Callable[[Sequence[Any]], Array]
RUN: Sequence[Column] = (*(texts,) * 9, bools, bigints, bigints, texts)
CHANGE: Sequence[Column] = (texts, texts, texts, texts, bigints, texts)
MOVE: Sequence[Column] = (texts, texts)
ROW: Sequence[Column] = (texts, bigints, texts)
TAG: Sequence[Column] = (texts, blobs, texts)
WAITPOINT: Sequence[Column] = (texts, texts, texts, blobs, bigints, texts)
EXECUTION: Sequence[Column] = (texts, texts, texts, texts, bigints)
SCHEDULE: Sequence[Column] = (texts, texts, bigints, texts)
LASTING: Sequence[Column] = (texts, bigints, bigints, bigints, texts)
LISTING: Sequence[Column] = (*(texts,) * 6, bigints, bigints, texts)
STANDING: Sequence[Column] = (texts, texts, bigints, bigints)
WAITPOINT_TAG: Sequence[Column] = (texts, blobs, texts, texts)
DROP_STATES: LiteralString = "delete from state_rows where stream = any(%b)"


class Follow(NamedTuple):
    """What becomes of the rows by a batch."""

    loaded: Loaded
    changes: Changes


def project(cursor: Cursor[TupleRow], records: Sequence[Recorded], at: At, known: Known) -> Follow:
    """What becomes of the rows; nothing is stored yet. Raises LedgerCorrupt where events and rows do not fit."""
    histories = histories_of(records)
    loaded, missing = known.among(touched(histories))
    try:
        _load(cursor, missing, at, loaded)
    except ValueError as error:
        raise LedgerCorrupt(f"A row of the read models cannot be read: {error}. Verify and rebuild them.") from error
    return Follow(loaded, fold(histories, loaded))


def store(cursor: Cursor[TupleRow], changes: Changes, at: At) -> None:
    """Store the rows that a batch changed, and remove the states that are no longer kept."""
    tags = sorted((row.environment, row.tag.encode(), row.run) for row in changes.tags)
    environments = sorted({row.environment for row in changes.added})
    with cursor.connection.pipeline():
        if environments:
            cursor.execute(NUMBER_ENVIRONMENTS, (texts(environments),))
        _store(cursor, at(ADD_RUNS), RUN, map(of_run, changes.added))
        _store(cursor, at(CHANGE_RUNS), CHANGE, _changed(changes))
        _store(cursor, at(MOVE_RUNS), MOVE, [(row.id, row.queue) for row in changes.moved])
        _store(cursor, at(ADD_ATTEMPTS), ROW, map(of_attempt, changes.tried))
        _store(cursor, at(STORE_ATTEMPTS), ROW, map(of_attempt, changes.attempts))
        # In the order of their key, so that the runs of a tag go to its pages at once.
        _store(cursor, at(STORE_TAGS), TAG, tags)
        _store(cursor, at(DROP_TAGS), TAG, [(row.environment, row.tag.encode(), row.run) for row in changes.untagged])
        _store(cursor, at(ADD_STATES), ROW, map(of_state, changes.begun))
        _store(cursor, at(STORE_STATES), ROW, map(of_state, changes.states))
        if changes.gone:
            cursor.execute(at(DROP_STATES), (texts(changes.gone),))
        _store(cursor, at(STORE_WAITPOINTS), WAITPOINT, map(of_waitpoint, changes.waitpoints))
        _store(cursor, at(STORE_WAITPOINT_TAGS), WAITPOINT_TAG, sorted(map(_tag_of, changes.waitpoint_tags)))
        _store(cursor, at(DROP_WAITPOINT_TAGS), WAITPOINT_TAG, map(_tag_of, changes.waitpoint_untagged))
        _store(cursor, at(STORE_EXECUTIONS), EXECUTION, map(of_execution, changes.executions))
        _store(cursor, at(STORE_SCHEDULES), SCHEDULE, map(of_schedule, changes.schedules))
        _store(cursor, at(STORE_LISTINGS), LISTING, map(of_begun, changes.listings))
        standings = [(each.stream, each.status, each.position, each.changed_at) for each in changes.standings]
        _store(cursor, at(CHANGE_LISTINGS), STANDING, standings)
        if changes.schedules_gone:
            cursor.execute(at(DROP_SCHEDULES), (texts(changes.schedules_gone),))
        _store(cursor, at(STORE_LASTING), LASTING, map(of_lasting, changes.lasting))
        _store(cursor, at(DROP_LASTING), LASTING, map(of_lasting, changes.lasting_gone))
    if changes.archived:
        for statement in DROP_RUNS:
            cursor.execute(at(statement), (texts(changes.archived),))
    if changes.erased:
        found = cursor.execute(at(LOAD_ALL_ATTEMPTS), (texts(changes.erased),)).fetchall()
        _store(cursor, at(STORE_ATTEMPTS), ROW, [of_attempt(erased(to_attempt(columns))) for columns in found])


def _store(
    cursor: Cursor[TupleRow], statement: LiteralString, kinds: Sequence[Column], rows: Iterable[tuple[Any, ...]]
) -> None:
    columns = list(zip(*rows, strict=True))
    if columns:
        cursor.execute(statement, [kind(column) for kind, column in zip(kinds, columns, strict=True)])


def _tag_of(row: WaitpointTagRow) -> tuple[str, bytes, str, str]:
    environment, tag, status, waitpoint = of_waitpoint_tag(row)
    return environment, tag.encode(), status, waitpoint


def _changed(changes: Changes) -> Iterable[tuple[object, ...]]:
    for row in changes.changed:
        columns = of_run(row)
        yield row.id, row.status.value, row.version, row.machine, row.finished_at, columns[-1]


def _load(cursor: Cursor[TupleRow], missing: Touched, at: At, loaded: Loaded) -> None:
    runs, states, waitpoints = missing
    if waitpoints:
        tokens = map(to_waitpoint, cursor.execute(at(LOAD_WAITPOINTS), (waitpoints,)).fetchall())
        loaded.waitpoints |= {token.id: token for token in tokens}
    if not runs and not states:
        return
    # All are asked for before the first is answered, each with a cursor of its own.
    with cursor.connection.pipeline(), plain(cursor.connection) as attempts, plain(cursor.connection) as found:
        if runs:
            cursor.execute(at(LOAD_RUNS), (runs,))
            attempts.execute(at(LOAD_ATTEMPTS), (runs, [status.value for status in OPEN]))
        if states:
            found.execute(at(LOAD_STATES), (states,))
        if runs:
            loaded.runs |= {row.id: row for row in map(to_run, cursor.fetchall())}
            loaded.attempts |= {last.run: last for last in map(to_attempt, attempts.fetchall())}
        if states:
            loaded.states |= {stream: to_state(stream, detail) for stream, detail in found.fetchall()}
