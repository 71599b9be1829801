"""Stored rows as entries of a snapshot, those that cannot be read too."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from adapters.read_models_executions import to_execution
from adapters.read_models_lasting import to_lasting
from adapters.read_models_listings import to_listing
from adapters.read_models_rows import to_attempt, to_run, to_state
from adapters.read_models_schedules import to_schedule
from adapters.read_models_waitpoints import to_waitpoint
from domain.waitpoint import WaitpointStatus
from projections.fold import StateRow
from projections.ports import Entry
from projections.waitpoints import WaitpointTagRow


class Unreadable(Struct, frozen=True):
    """A row that no projection can have written."""

    error: str


def run_entry(*columns: Any) -> Entry:
    """Of the columns of run_rows."""
    row = _read(lambda: to_run(columns))
    return Entry((columns[0],), getattr(row, "position", 0), row)


def attempt_entry(run: str, number: int, detail: str) -> Entry:
    """Of the columns of attempt_rows."""
    row = _read(lambda: to_attempt((run, number, detail)))
    return Entry((run, number), getattr(row, "position", 0), row)


def waitpoint_entry(*columns: Any) -> Entry:
    """Of the columns of waitpoint_rows."""
    row = _read(lambda: to_waitpoint(columns))
    return Entry((columns[0],), getattr(row, "position", 0), row)


def waitpoint_tag_entry(environment: str, tag: str, status: str, waitpoint: str, position: int) -> Entry:
    """Of the columns of waitpoint_tag_rows, and when the token last changed."""
    key = (environment, tag, status, waitpoint)
    row = _read(lambda: WaitpointTagRow(environment, tag, WaitpointStatus(status), waitpoint))
    return Entry(key, position, row)


def schedule_entry(*columns: Any) -> Entry:
    """Of the columns of schedule_rows."""
    row = _read(lambda: to_schedule(columns))
    return Entry((columns[0],), getattr(row, "position", 0), row)


def listing_entry(*columns: Any) -> Entry:
    """Of the columns of listing_rows."""
    row = _read(lambda: to_listing(columns))
    return Entry((columns[0],), columns[6], row)


def state_entry(stream: str, position: int, detail: str) -> Entry:
    """Of the columns of state_rows."""
    return Entry((stream,), position, _read(lambda: StateRow(stream, position, to_state(stream, detail))))


def lasting_entry(*columns: Any) -> Entry:
    """Of the columns of lasting_rows."""
    return Entry(columns[:3], columns[3], _read(lambda: to_lasting(columns)))


def execution_entry(*columns: Any) -> Entry:
    """Of the columns of execution_rows, and when the run last changed."""
    *row, position = columns
    return Entry((row[0],), position, _read(lambda: to_execution(tuple(row))))


def _read(row_of: Callable[[], Struct]) -> Struct:
    try:
        return row_of()
    except (ValueError, TypeError, KeyError) as error:
        return Unreadable(str(error))
