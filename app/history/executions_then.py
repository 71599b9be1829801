"""Pages of executions as they were, in any of their orders: see `app.history.walking`."""

from typing import NamedTuple

from msgspec.structs import replace

from adapters.read_models_pages import CLOCKS_APART_MS, id_at
from app.history.moments import Moment
from app.history.walking import LATE_MS, LOOKED_MAX, WINDOW_MAX, taken_back
from domain.errors import InvalidInput
from domain.ports import Ledger
from projections import run_list
from projections.executions import ExecutionFilter, Order, Place, has_part, matches, row_of
from projections.ports import ReadModels
from projections.run_row import RunRow


class Executed(NamedTuple):
    """A page, and behind which execution the next one begins, None if there is none."""

    rows: list[RunRow]
    next: Place | None


def executions_then(
    ledger: Ledger,
    read_models: ReadModels,
    environment: str,
    wanted: ExecutionFilter,
    order: Order,
    limit: int,
    moment: Moment,
    *,
    offset: int = 0,
    after: Place | None = None,
    name: str | None = None,
) -> Executed:
    """A page of executions with the statuses of then (this blocks). It looks at so many of now at most.

    With a `name` they are those whose job was called so, or had this in its name, when they were made.

    Raises InvalidInput for an `offset` that is further away than that.
    """
    last = moment.wall + LATE_MS
    # Nothing is planned for a time after it is made, and ids begin with the time at which they were made.
    scheduled_to = last if wanted.scheduled_to is None else min(wanted.scheduled_to, last)
    stays = replace(wanted, status=None, scheduled_to=scheduled_to)
    if after is None and not order.by_schedule and not order.is_ascending:
        after = Place(0, id_at("run", last + CLOCKS_APART_MS + 1))
    found: list[RunRow] = []
    looked, window = 0, offset + limit + 1
    while True:
        rows, has_more = read_models.list_executions(environment, stays, order, min(WINDOW_MAX, window), after=after)
        found += [row for row in _taken_back(ledger, rows, moment.position, wanted) if _is_called(row, name)]
        looked, window = looked + len(rows), 2 * window
        if len(found) > offset + limit:
            page = found[offset : offset + limit]
            return Executed(page, place_of(page[-1]))
        if not has_more:
            return Executed(found[offset:], None)
        after = place_of(rows[-1])
        if looked >= LOOKED_MAX:
            break
    if offset:
        raise InvalidInput(
            f"A page as of a moment looks at {LOOKED_MAX} executions, and {len(found)} of them were so then: fewer than"
            f" the offset of {offset} and the limit. Leave the offset out and follow next_cursor."
        )
    return Executed(found, after)


def place_of(row: RunRow) -> Place:
    """Where an execution stands in lists."""
    assert row.job is not None, "an execution is of a job"
    return Place(row.job.scheduled_for, row.id)


def _is_called(row: RunRow, name: str | None) -> bool:
    return name is None or (row.job is not None and has_part(row.job.name, name))


def _taken_back(ledger: Ledger, rows: list[RunRow], position: int, wanted: ExecutionFilter) -> list[RunRow]:
    there = [row for row in rows if row.born <= position]
    back = taken_back(ledger, there, position, run_list.project)
    return [row for row in back if (execution := row_of(row)) is not None and matches(execution, wanted)]
