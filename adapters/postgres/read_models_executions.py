"""Lists of executions: an index for each order, of all, of those in a status, of a job, and of a job's in a status."""

from typing import LiteralString

from adapters.postgres.read_models_schema import spelled
from adapters.postgres.read_models_store import Store, storable
from adapters.read_models_executions import JOBS_MAX, ORDERS, conditions, parameters
from adapters.read_models_rows import to_run
from projections.executions import ExecutionFilter, Order, Place
from projections.run_row import RunRow

ALL: LiteralString = """
select id, scheduled_for from execution_rows
where environment = {number} {conditions} {order} limit %(limit)s
"""
# What is joined with '' is in no index, so that they are read in their order.
OF_JOBS: LiteralString = """
select id, scheduled_for from execution_rows
where environment = {number} and job || '' = any(%(jobs)s) {conditions} {order} limit %(limit)s
"""
OF_EACH_JOB: LiteralString = """
select part.id, part.scheduled_for from unnest(%(jobs)s::text[]) as wanted (job) cross join lateral (
    select id, scheduled_for from execution_rows
    where environment = {number} and job = wanted.job {conditions} {order} limit %(limit)s
) as part
"""
PAGE: LiteralString = """
select run.* from (select id, scheduled_for from ({part}) as part {order} limit %(size)s offset %(offset)s) as page
cross join lateral (
    select {run} from run_rows where id = page.id offset 0
) as run
{page_order}
"""
NAMES: dict[LiteralString, LiteralString] = {
    "{status}": "%(status)s",
    "{scheduled_from}": "%(scheduled_from)s",
    "{scheduled_to}": "%(scheduled_to)s",
    "{at}": "%(at)s",
    "{after}": "%(after)s",
}


def page(
    store: Store,
    environment: str,
    wanted: ExecutionFilter,
    order: Order,
    limit: int,
    offset: int,
    after: Place | None,
) -> tuple[list[RunRow], bool]:
    """The runs of a page of executions, behind `after` if it is given, and whether there are more."""
    jobs = wanted.jobs
    part = ALL if jobs is None else OF_EACH_JOB if len(jobs) <= JOBS_MAX else OF_JOBS
    all_that_holds: list[LiteralString] = list(conditions(wanted, order, after))
    further = " ".join(all_that_holds)
    for name, place in NAMES.items():
        further = further.replace(name, place)
    by = ORDERS[order]
    page_order = by.replace("scheduled_for", "page.scheduled_for").replace(" id", " page.id")
    statement = spelled(PAGE.replace("{part}", part)).replace("{conditions}", further)
    statement = statement.replace("{page_order}", page_order).replace("{order}", by)
    values = parameters(environment, wanted, after and Place(after.scheduled_for, storable(after.id)))
    values |= {"limit": offset + limit + 1, "size": limit + 1, "offset": offset}
    if jobs is not None:
        values["jobs"] = list(jobs)
    rows = store.listed(statement, values)
    return list(map(to_run, rows[:limit])), len(rows) > limit
