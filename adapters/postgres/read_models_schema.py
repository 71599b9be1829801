"""The tables of the read models in PostgreSQL.

They are made when read models are opened and find none, not by a migration: a rebuild makes them anew at any time.
"""

from typing import LiteralString

from adapters.read_models_tables import shape_of

# Columns are what is filtered or sorted on; the rest of a row is JSON in `detail`. "C" compares bytes: ids and names
# sort as they do everywhere else. No index looks into `detail`, so a change of nothing else leaves all of them alone.
# Tags are bytes because a text cannot hold every character that a tag can (NUL).
# Room is left in the pages only of rows whose next version is in no index anew: the others go elsewhere anyway.
TABLES: tuple[LiteralString, ...] = (
    """
    create table run_rows (
        id text collate "C" primary key,
        environment integer not null,
        task text collate "C" not null,
        queue text collate "C" not null,
        status text collate "C" not null,
        version text collate "C",
        batch text collate "C",
        schedule text collate "C",
        machine text collate "C",
        is_test boolean not null,
        created_at bigint not null,
        finished_at bigint,
        detail text not null
    )
    """,
    """
    create table attempt_rows (
        run text collate "C" not null,
        number bigint not null,
        detail text not null,
        primary key (run, number)
    ) with (fillfactor = 95)
    """,
    """
    create table tag_rows (
        environment text collate "C" not null,
        tag bytea not null,
        run text collate "C" not null,
        primary key (environment, tag, run)
    )
    """,
    """
    create table state_rows (
        stream text collate "C" primary key,
        position bigint not null,
        detail text not null
    ) with (fillfactor = 90)
    """,
    """
    create table waitpoint_rows (
        id text collate "C" primary key,
        environment text collate "C" not null,
        status text collate "C" not null,
        key_digest bytea,
        created_at bigint not null,
        detail text not null
    ) with (fillfactor = 85)
    """,
    """
    create table waitpoint_tag_rows (
        environment text collate "C" not null,
        tag bytea not null,
        status text collate "C" not null,
        waitpoint text collate "C" not null,
        primary key (environment, tag, status, waitpoint)
    )
    """,
    """
    create table execution_rows (
        id text collate "C" primary key,
        environment integer not null,
        job text collate "C" not null,
        status text collate "C" not null,
        scheduled_for bigint not null
    ) with (fillfactor = 85)
    """,
    """
    create table schedule_rows (
        id text collate "C" primary key,
        environment text collate "C" not null,
        created_at bigint not null,
        detail text not null
    ) with (fillfactor = 70)
    """,
    """
    create table lasting_rows (
        environment integer not null,
        span bigint not null,
        born bigint not null,
        ended bigint not null,
        run text collate "C" not null,
        primary key (environment, span, born)
    )
    """,
    """
    create table listing_rows (
        stream text collate "C" primary key,
        environment text collate "C" not null,
        kind text collate "C" not null,
        place text collate "C" not null,
        name text collate "C",
        status text collate "C" not null,
        position bigint not null,
        changed_at bigint not null,
        detail text not null
    ) with (fillfactor = 85)
    """,
    # Without statistics the planner takes each of these for selective. So a list is read from the index of its part
    # whatever most runs are like: when nearly all are COMPLETED, it would else look for the few FAILED ones among all.
    """
    alter table run_rows
        alter column environment set statistics 0,
        alter column task set statistics 0,
        alter column queue set statistics 0,
        alter column status set statistics 0,
        alter column version set statistics 0,
        alter column is_test set statistics 0,
        alter column batch set statistics 0,
        alter column schedule set statistics 0,
        alter column machine set statistics 0
    """,
    "alter table tag_rows alter column environment set statistics 0, alter column tag set statistics 0",
    """
    alter table waitpoint_rows
        alter column environment set statistics 0,
        alter column status set statistics 0,
        alter column key_digest set statistics 0
    """,
    """
    alter table waitpoint_tag_rows
        alter column environment set statistics 0,
        alter column tag set statistics 0,
        alter column status set statistics 0
    """,
    """
    alter table listing_rows
        alter column environment set statistics 0,
        alter column kind set statistics 0,
        alter column name set statistics 0,
        alter column status set statistics 0
    """,
    """
    alter table execution_rows
        alter column environment set statistics 0,
        alter column job set statistics 0,
        alter column status set statistics 0
    """,
)

# Each index costs every run, so there are as few as lists can do with: one per task and status also finds the runs of
# a status, task by task; most runs are in the queue of their task, have no batch, and are finished soon.
# Tokens have three statuses, so that the newest of all are those of each.
# Their names are left to the database: those of the tables that are read are still in use while others are made.
INDEXES: tuple[LiteralString, ...] = (
    "create index on run_rows (environment, id)",
    "create index on run_rows (environment, task, status, id)",
    "create index on run_rows (environment, queue, id) where queue <> 'task/' || task",
    # A run has no version before its first attempt, and what is asked of a version is mostly what failed there.
    "create index on run_rows (environment, version, status, id) where version is not null",
    "create index on run_rows (environment, status, id) where is_test",
    # Few runs name a machine. Which one is looked up run by run.
    "create index on run_rows (environment, status, id) where machine is not null",
    # A batch has few runs, which are sorted for a list. Without their ids its entries are all alike and kept as one.
    "create index on run_rows (batch) where batch is not null",
    # Of runs of no schedule it has nothing, and costs them nothing.
    "create index on run_rows (schedule, id) where schedule is not null",
    "create index on run_rows (environment, queue, status) where finished_at is null",
    "create index on waitpoint_rows (environment, status, id)",
    "create index on waitpoint_rows (environment, key_digest, id) where key_digest is not null",
    # An execution is a call over the network: beside that, eight indexes are nothing, and every list has its own.
    "create index on execution_rows (environment, scheduled_for, id)",
    "create index on execution_rows (environment, id)",
    "create index on execution_rows (environment, status, scheduled_for, id)",
    "create index on execution_rows (environment, status, id)",
    "create index on execution_rows (environment, job, scheduled_for, id)",
    "create index on execution_rows (environment, job, id)",
    "create index on execution_rows (environment, job, status, scheduled_for, id)",
    "create index on execution_rows (environment, job, status, id)",
    "create index on schedule_rows (environment, created_at, id)",
    "create index on listing_rows (environment, kind, place)",
    "create index on listing_rows (environment, kind, status, place)",
    "create index on listing_rows (environment, name, place) where name is not null",
)

# The library's tracking table, with the rolling hash of the ledger at that event and the shape of the rows.
TRACKED = """
create table if not exists tracked (
    application_name text collate "C" primary key,
    notification_id bigint not null,
    digest bytea not null,
    shape text not null
) with (fillfactor = 50)
"""
# The numbers of environments, by which the tables name them that have a row for each run or execution: as text it would
# be a third of an entry in an index. Numbers are never given anew, so all tables that a rebuild makes share them.
ENVIRONMENTS = """
create table if not exists environments (
    number integer generated always as identity primary key,
    name text collate "C" unique not null
)
"""
# How many rebuilds were begun. One row; its table is also the lock between rebuilds, and of whoever reads all tables.
REBUILDS = "create table if not exists rebuilds (number bigint not null)"

SHAPE = shape_of([*TABLES, *INDEXES])

_RUN: LiteralString = """
id, (select name from environments where number = run_rows.environment) as environment, task, queue, status, version,
batch, schedule, machine, is_test, created_at, finished_at, detail
"""
_NUMBER: LiteralString = "(select number from environments where name = %(environment)s)"


def spelled(statement: LiteralString) -> LiteralString:
    """The statement with all columns of run_rows in the place of {run}, and the environment's number for {number}."""
    return statement.replace("{run}", _RUN).replace("{number}", _NUMBER)
