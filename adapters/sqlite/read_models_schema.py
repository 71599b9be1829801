"""The tables of the read models in SQLite."""

from typing import LiteralString

from adapters.read_models_tables import At, shape_of

# Columns are what is filtered or sorted on; the rest of a row is JSON in `detail`.
TABLES: tuple[LiteralString, ...] = (
    """
    create table if not exists run_rows (
        id text primary key,
        environment text not null,
        task text not null,
        queue text not null,
        status text not null,
        version text,
        batch text,
        schedule text,
        machine text,
        is_test integer not null,
        created_at integer not null,
        finished_at integer,
        detail text not null
    )
    """,
    """
    create table if not exists attempt_rows (
        run text not null,
        number integer not null,
        detail text not null,
        primary key (run, number)
    ) without rowid
    """,
    """
    create table if not exists tag_rows (
        environment text not null,
        tag text not null,
        run text not null,
        primary key (environment, tag, run)
    ) without rowid
    """,
    """
    create table if not exists state_rows (
        stream text primary key,
        position integer not null,
        detail text not null
    ) without rowid
    """,
    """
    create table if not exists waitpoint_rows (
        id text primary key,
        environment text not null,
        status text not null,
        key_digest blob,
        created_at integer not null,
        detail text not null
    )
    """,
    """
    create table if not exists waitpoint_tag_rows (
        environment text not null,
        tag text not null,
        status text not null,
        waitpoint text not null,
        primary key (environment, tag, status, waitpoint)
    ) without rowid
    """,
    """
    create table if not exists execution_rows (
        id text primary key,
        environment text not null,
        job text not null,
        status text not null,
        scheduled_for integer not null
    ) without rowid
    """,
    """
    create table if not exists schedule_rows (
        id text primary key,
        environment text not null,
        created_at integer not null,
        detail text not null
    )
    """,
    """
    create table if not exists lasting_rows (
        environment text not null,
        span integer not null,
        born integer not null,
        ended integer not null,
        run text not null,
        primary key (environment, span, born)
    ) without rowid
    """,
    """
    create table if not exists listing_rows (
        stream text primary key,
        environment text not null,
        kind text not null,
        place text not null,
        name text,
        status text not null,
        position integer not null,
        changed_at integer not null,
        detail text not null
    )
    """,
)

# Each index costs every run, so there are as few as lists can do with: one per task and status also finds the runs of
# a status, task by task; most runs are in the queue of their task, have no batch, and are finished soon.
# Tokens have three statuses, so that the newest of all are those of each.
# An index keeps its name when its table is renamed, so names end with the number of the rebuild that made them.
INDEXES: tuple[LiteralString, ...] = (
    "create index if not exists runs_newest_{rebuild} on run_rows (environment, id)",
    "create index if not exists runs_of_task_{rebuild} on run_rows (environment, task, status, id)",
    """
    create index if not exists runs_of_queue_{rebuild} on run_rows (environment, queue, id)
    where queue <> 'task/' || task
    """,
    # A run has no version before its first attempt, and what is asked of a version is mostly what failed there.
    """
    create index if not exists runs_of_version_{rebuild} on run_rows (environment, version, status, id)
    where version is not null
    """,
    "create index if not exists test_runs_{rebuild} on run_rows (environment, status, id) where is_test = 1",
    # Few runs name a machine. Which one is looked up run by run.
    """
    create index if not exists runs_with_machine_{rebuild} on run_rows (environment, status, id)
    where machine is not null
    """,
    "create index if not exists runs_of_batch_{rebuild} on run_rows (batch, id) where batch is not null",
    # Of runs of no schedule it has nothing, and costs them nothing.
    "create index if not exists runs_of_schedule_{rebuild} on run_rows (schedule, id) where schedule is not null",
    """
    create index if not exists unfinished_runs_{rebuild} on run_rows (environment, queue, status, finished_at)
    where finished_at is null
    """,
    "create index if not exists waitpoints_of_status_{rebuild} on waitpoint_rows (environment, status, id)",
    """
    create index if not exists waitpoints_of_key_{rebuild} on waitpoint_rows (environment, key_digest, id)
    where key_digest is not null
    """,
    # An execution is a call over the network: beside that, eight indexes are nothing, and every list has its own.
    """
    create index if not exists executions_by_schedule_{rebuild}
    on execution_rows (environment, scheduled_for, id)
    """,
    "create index if not exists executions_{rebuild} on execution_rows (environment, id)",
    """
    create index if not exists executions_of_status_by_schedule_{rebuild}
    on execution_rows (environment, status, scheduled_for, id)
    """,
    "create index if not exists executions_of_status_{rebuild} on execution_rows (environment, status, id)",
    """
    create index if not exists executions_of_job_by_schedule_{rebuild}
    on execution_rows (environment, job, scheduled_for, id)
    """,
    "create index if not exists executions_of_job_{rebuild} on execution_rows (environment, job, id)",
    """
    create index if not exists executions_of_job_in_status_by_schedule_{rebuild}
    on execution_rows (environment, job, status, scheduled_for, id)
    """,
    "create index if not exists executions_of_job_in_status_{rebuild} on execution_rows (environment, job, status, id)",
    "create index if not exists schedules_newest_{rebuild} on schedule_rows (environment, created_at, id)",
    "create index if not exists listings_newest_{rebuild} on listing_rows (environment, kind, place)",
    "create index if not exists listings_of_status_{rebuild} on listing_rows (environment, kind, status, place)",
    """
    create index if not exists listings_of_name_{rebuild} on listing_rows (environment, name, place)
    where name is not null
    """,
)

# The library's tracking table, with the rolling hash of the ledger at that event and the shape of the rows.
TRACKED = """
create table if not exists tracked (
    application_name text primary key,
    notification_id integer not null,
    digest blob not null,
    shape text not null
) without rowid
"""


SHAPE = shape_of([*TABLES, *INDEXES])


def indexes(at: At, rebuild: int) -> list[str]:
    """The statements that make the indexes in the tables that the `rebuild`-th rebuild wrote."""
    return [at(statement).format(rebuild=rebuild) for statement in INDEXES]
