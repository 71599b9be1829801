"""Lists of executions: an index for each order, of all, of those in a status, of a job, and of a job's in a status."""

import sqlite3
from typing import LiteralString

from msgspec import json

from adapters.read_models_executions import JOBS_MAX, ORDERS, conditions, parameters, to_execution
from adapters.sqlite.read_models_list import runs_by_id
from projections.executions import ExecutionFilter, Order, Place, place_of
from projections.run_row import RunRow

COLUMNS = "select id, environment, job, status, scheduled_for from execution_rows where environment = :environment"
NAMES = {name: f":{name}" for name in ("status", "scheduled_from", "scheduled_to", "at", "after")}
OF_JOB: LiteralString = "and job = :job"
OF_JOBS: LiteralString = "and +job in (select value from json_each(:jobs))"


def page(
    cursor: sqlite3.Cursor,
    environment: str,
    wanted: ExecutionFilter,
    order: Order,
    limit: int,
    offset: int,
    after: Place | None,
) -> tuple[list[RunRow], bool]:
    """The runs of a page of executions, behind `after` if it is given, and whether there are more."""
    jobs = wanted.jobs
    few = jobs is not None and len(jobs) <= JOBS_MAX
    parts = [{"job": job} for job in jobs or ()] if few else [{"jobs": json.encode(jobs).decode()}]
    where = (OF_JOB if few else OF_JOBS) if jobs is not None else ""
    text = " ".join(
        [COLUMNS, where, *conditions(wanted, order, after), ORDERS[order], "limit :limit offset :offset"]
    ).format(**NAMES)
    # Of several parts each may have all that is skipped; of one the database skips it.
    skipped = offset if len(parts) == 1 else 0
    values = parameters(environment, wanted, after) | {"limit": offset - skipped + limit + 1, "offset": skipped}
    found = [to_execution(columns) for part in parts for columns in cursor.execute(text, values | part)]
    if len(parts) > 1:
        found.sort(key=lambda row: place_of(row, order), reverse=not order.is_ascending)
    found = found[offset - skipped :]
    ids = [row.id for row in found[:limit]]
    runs = {run.id: run for run in runs_by_id(cursor, ids)}
    return [runs[each] for each in ids], len(found) > limit
