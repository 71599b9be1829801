"""What lists of executions have in common on every database: from a query to its conditions."""

from collections.abc import Iterator
from typing import Any, LiteralString

from projections.executions import ExecutionFilter, ExecutionRow, Order, Place
from projections.ports import Columns

JOBS_MAX = 200
"""Above so many jobs, reading all executions in their order finds a page sooner than asking for each job's own."""
CONDITIONS: dict[str, LiteralString] = {
    "status": "and status = {status}",
    "scheduled_from": "and scheduled_for >= {scheduled_from}",
    "scheduled_to": "and scheduled_for <= {scheduled_to}",
}
BEHIND: dict[Order, LiteralString] = {
    Order(by_schedule=True, is_ascending=False): "and (scheduled_for, id) < ({at}, {after})",
    Order(by_schedule=True, is_ascending=True): "and (scheduled_for, id) > ({at}, {after})",
    Order(by_schedule=False, is_ascending=False): "and id < {after}",
    Order(by_schedule=False, is_ascending=True): "and id > {after}",
}
ORDERS: dict[Order, LiteralString] = {
    Order(by_schedule=True, is_ascending=False): "order by scheduled_for desc, id desc",
    Order(by_schedule=True, is_ascending=True): "order by scheduled_for, id",
    Order(by_schedule=False, is_ascending=False): "order by id desc",
    Order(by_schedule=False, is_ascending=True): "order by id",
}


def of_execution(row: ExecutionRow) -> Columns:
    """The columns of execution_rows, in the order of the table."""
    return row.id, row.environment, row.job, row.status, row.scheduled_for


def to_execution(columns: Columns) -> ExecutionRow:
    """The row of these columns."""
    return ExecutionRow(*columns)


def conditions(wanted: ExecutionFilter, order: Order, after: Place | None) -> Iterator[LiteralString]:
    """What must hold for each row, with names for values in braces."""
    given = {"status": wanted.status, "scheduled_from": wanted.scheduled_from, "scheduled_to": wanted.scheduled_to}
    for name, condition in CONDITIONS.items():
        if given[name] is not None:
            yield condition
    if after is not None:
        yield BEHIND[order]


def parameters(environment: str, wanted: ExecutionFilter, after: Place | None) -> dict[str, Any]:
    """The values of those names."""
    values = {
        "status": wanted.status,
        "scheduled_from": wanted.scheduled_from,
        "scheduled_to": wanted.scheduled_to,
        "at": after and after.scheduled_for,
        "after": after and after.id,
    }
    return {"environment": environment} | {name: value for name, value in values.items() if value is not None}
