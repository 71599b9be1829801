"""What the tables of the read models have in common on every database: their names, twice, and their shape."""

import hashlib
from collections.abc import Callable, Iterable
from typing import LiteralString, TypeAlias

from domain.states import KINDS
from projections import checkpoint
from projections.attempts import AttemptRow
from projections.executions import ExecutionRow
from projections.fold import FOLD
from projections.lasting import LastingRow
from projections.listings import ListingRow
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WaitpointRow

At: TypeAlias = Callable[[LiteralString], LiteralString]
"""Which of the two sets of tables a statement means."""

LEDGER = "ledger"
"""The name under which the position in the ledger is tracked."""
# Exact, as `tells_state` is the last member of `detail`: what a user wrote ends with a bracket or quotes of its own.
_STATES: LiteralString = """
select (select count(*) from state_rows) + (
    select count(*) from run_rows
    where finished_at is null and status = 'QUEUED' and detail like '%"tells_state":true}'
)
"""
COUNTS: dict[LiteralString, LiteralString] = {
    "run_rows": "select count(*) from run_rows",
    "attempt_rows": "select count(*) from attempt_rows",
    "tag_rows": "select count(*) from tag_rows",
    "state_rows": _STATES,
    "waitpoint_rows": "select count(*) from waitpoint_rows",
    "waitpoint_tag_rows": "select count(*) from waitpoint_tag_rows",
    "execution_rows": "select count(*) from execution_rows",
    "schedule_rows": "select count(*) from schedule_rows",
    "lasting_rows": "select count(*) from lasting_rows",
    "listing_rows": "select count(*) from listing_rows",
}
"""What is compared with what the events tell of; states that rows of waiting runs tell are counted too."""
TABLE_NAMES = tuple(COUNTS)


def current(statement: LiteralString) -> LiteralString:
    """The tables that are read."""
    return statement


def following(statement: LiteralString) -> LiteralString:
    """The tables that a rebuild writes, until they are swapped with those that are read."""
    return statement.replace("_rows", "_rows_next")


def shape_of(statements: Iterable[str]) -> str:
    """What rows must have been written as: the tables made by these statements, the structs in them, and the fold."""
    rows = checkpoint.shape_of(
        [
            RunRow,
            AttemptRow,
            WaitpointRow,
            ExecutionRow,
            ScheduleRow,
            LastingRow,
            ListingRow,
            *(KINDS[kind] for kind in sorted(KINDS)),
        ]
    )
    return hashlib.sha256("\n".join([str(FOLD), rows, *statements]).encode()).hexdigest()
