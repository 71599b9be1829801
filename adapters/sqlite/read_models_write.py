"""Following the ledger: load the rows that a batch touches, fold the batch over them, store what changed."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import json

from adapters.read_models_executions import of_execution
from adapters.read_models_lasting import of_lasting
from adapters.read_models_listings import of_begun
from adapters.read_models_rows import of_attempt, of_run, of_state, to_attempt, to_run, to_state
from adapters.read_models_schedules import of_schedule
from adapters.read_models_tables import At
from adapters.read_models_waitpoints import of_waitpoint, of_waitpoint_tag, to_waitpoint
from adapters.sqlite.rows import insert
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from projections.attempts import OPEN, erased
from projections.fold import Changes, Loaded, Touched, fold, histories_of, touched
from projections.known import Known

LOAD_RUNS = """
select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
from run_rows where id in (select value from json_each(?))
"""
LOAD_ATTEMPTS = """
select run, number, detail from attempt_rows where (run, number) in (
    select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)
)
"""
LOAD_ALL_ATTEMPTS = "select run, number, detail from attempt_rows where run in (select value from json_each(?))"
LOAD_STATES = "select stream, detail from state_rows where stream in (select value from json_each(?))"
LOAD_WAITPOINTS = """
select id, environment, status, key_digest, created_at, detail
from waitpoint_rows where id in (select value from json_each(?))
"""

ADD_RUN = """
insert into run_rows (
    id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
)
values {rows}
"""
# Only what can change is set, or SQLite would write every index again.
CHANGE_RUN = f"""{ADD_RUN}
on conflict (id) do update set status = excluded.status, version = excluded.version,
    machine = excluded.machine, finished_at = excluded.finished_at, detail = excluded.detail
"""
MOVE_RUN = "update run_rows set queue = ? where id = ?"
STORE_ATTEMPT = """
insert into attempt_rows (run, number, detail) values {rows}
on conflict (run, number) do update set detail = excluded.detail
"""
DROP_RUN = (
    "delete from run_rows where id = ?",
    "delete from attempt_rows where run = ?",
    "delete from execution_rows where id = ?",
)
STORE_TAG = "insert or ignore into tag_rows (environment, tag, run) values {rows}"
DROP_TAG = "delete from tag_rows where environment = ? and tag = ? and run = ?"
STORE_STATE = """
insert into state_rows (stream, position, detail) values {rows}
on conflict (stream) do update set position = excluded.position, detail = excluded.detail
"""
DROP_STATES = "delete from state_rows where stream in (select value from json_each(?))"
STORE_WAITPOINT = """
insert into waitpoint_rows (id, environment, status, key_digest, created_at, detail) values {rows}
on conflict (id) do update set status = excluded.status, detail = excluded.detail
"""
STORE_WAITPOINT_TAG = "insert or ignore into waitpoint_tag_rows (environment, tag, status, waitpoint) values {rows}"
STORE_SCHEDULE = """
insert into schedule_rows (id, environment, created_at, detail) values {rows}
on conflict (id) do update set detail = excluded.detail
"""
DROP_SCHEDULE = "delete from schedule_rows where id = ?"
STORE_LISTING = """
insert into listing_rows (stream, environment, kind, place, name, status, position, changed_at, detail) values {rows}
on conflict (stream) do update set status = excluded.status, position = excluded.position,
    changed_at = excluded.changed_at
"""
CHANGE_LISTING = "update listing_rows set status = ?, position = ?, changed_at = ? where stream = ?"
DROP_WAITPOINT_TAG = """
delete from waitpoint_tag_rows where environment = ? and tag = ? and status = ? and waitpoint = ?
"""
STORE_EXECUTION = """
insert into execution_rows (id, environment, job, status, scheduled_for) values {rows}
on conflict (id) do update set status = excluded.status
"""
STORE_LASTING = "insert into lasting_rows (environment, span, born, ended, run) values {rows}"
DROP_LASTING = "delete from lasting_rows where environment = ? and span = ? and born = ?"


class Follow(NamedTuple):
    """What becomes of the rows by a batch."""

    loaded: Loaded
    changes: Changes


def project(cursor: sqlite3.Cursor, records: Sequence[Recorded], at: At, known: Known) -> Follow:
    """What becomes of the rows; nothing is stored yet. Raises LedgerCorrupt where events and rows do not fit."""
    histories = histories_of(records)
    loaded, missing = known.among(touched(histories))
    try:
        _load(cursor, missing, at, loaded)
    except ValueError as error:
        raise LedgerCorrupt(f"A row of the read models cannot be read: {error}. Verify and rebuild them.") from error
    return Follow(loaded, fold(histories, loaded))


def store(cursor: sqlite3.Cursor, changes: Changes, at: At) -> None:
    """Store the rows that a batch changed, and remove the states that are no longer kept."""
    insert(cursor, at(ADD_RUN), map(of_run, changes.added))
    insert(cursor, at(CHANGE_RUN), map(of_run, changes.changed))
    cursor.executemany(at(MOVE_RUN), [(row.queue, row.id) for row in changes.moved])
    insert(cursor, at(STORE_ATTEMPT), map(of_attempt, [*changes.tried, *changes.attempts]))
    _erase_attempts(cursor, changes.erased, at)
    for statement in DROP_RUN:
        cursor.executemany(at(statement), [(run,) for run in changes.archived])
    # In the order of their key, so that the runs of a tag go to its pages at once.
    insert(cursor, at(STORE_TAG), sorted((row.environment, row.tag, row.run) for row in changes.tags))
    cursor.executemany(at(DROP_TAG), [(row.environment, row.tag, row.run) for row in changes.untagged])
    insert(cursor, at(STORE_STATE), map(of_state, [*changes.begun, *changes.states]))
    cursor.execute(at(DROP_STATES), (_list(changes.gone),))
    insert(cursor, at(STORE_WAITPOINT), map(of_waitpoint, changes.waitpoints))
    insert(cursor, at(STORE_WAITPOINT_TAG), sorted(map(of_waitpoint_tag, changes.waitpoint_tags)))
    cursor.executemany(at(DROP_WAITPOINT_TAG), map(of_waitpoint_tag, changes.waitpoint_untagged))
    insert(cursor, at(STORE_EXECUTION), map(of_execution, changes.executions))
    insert(cursor, at(STORE_SCHEDULE), map(of_schedule, changes.schedules))
    insert(cursor, at(STORE_LISTING), map(of_begun, changes.listings))
    standings = [(each.status, each.position, each.changed_at, each.stream) for each in changes.standings]
    cursor.executemany(at(CHANGE_LISTING), standings)
    cursor.executemany(at(DROP_SCHEDULE), [(schedule,) for schedule in changes.schedules_gone])
    insert(cursor, at(STORE_LASTING), map(of_lasting, changes.lasting))
    cursor.executemany(at(DROP_LASTING), [(row.environment, row.span, row.born) for row in changes.lasting_gone])


def _load(cursor: sqlite3.Cursor, missing: Touched, at: At, loaded: Loaded) -> None:
    runs, states, waitpoints = missing
    if runs:
        rows = list(map(to_run, cursor.execute(at(LOAD_RUNS), (_list(runs),))))
        loaded.runs |= {row.id: row for row in rows}
        last = [(row.id, row.attempts) for row in rows if row.status in OPEN]
        if last:
            attempts = list(map(to_attempt, cursor.execute(at(LOAD_ATTEMPTS), (_list(last),))))
            loaded.attempts |= {attempt.run: attempt for attempt in attempts}
    if states:
        found = cursor.execute(at(LOAD_STATES), (_list(states),))
        loaded.states |= {stream: to_state(stream, detail) for stream, detail in found}
    if waitpoints:
        tokens = map(to_waitpoint, cursor.execute(at(LOAD_WAITPOINTS), (_list(waitpoints),)))
        loaded.waitpoints |= {token.id: token for token in tokens}


def _erase_attempts(cursor: sqlite3.Cursor, runs: list[str], at: At) -> None:
    if runs:
        found = list(map(to_attempt, cursor.execute(at(LOAD_ALL_ATTEMPTS), (_list(runs),))))
        insert(cursor, at(STORE_ATTEMPT), map(of_attempt, map(erased, found)))


def _list(values: object) -> str:
    return json.encode(values).decode()
