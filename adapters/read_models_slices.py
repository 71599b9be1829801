"""Parts of the stored rows, by the streams that they are of: what is compared, and when they last changed."""

from collections.abc import Callable, Mapping

from adapters.read_models_entries import (
    attempt_entry,
    execution_entry,
    lasting_entry,
    listing_entry,
    run_entry,
    schedule_entry,
    state_entry,
    waitpoint_entry,
    waitpoint_tag_entry,
)
from adapters.read_models_executions import of_execution
from adapters.read_models_lasting import of_lasting
from adapters.read_models_listings import of_begun
from adapters.read_models_rows import of_attempt, of_run, of_state
from adapters.read_models_schedules import of_schedule
from adapters.read_models_waitpoints import of_waitpoint, of_waitpoint_tag
from projections.attempts import erased
from projections.fold import Changes, TagRow
from projections.ports import Columns, Entry, Key

BY_KEY = ("tags", "waitpoint tags", "lasting")
"""Projections whose rows are found by no stream."""


def tag_entry(environment: str, tag: str, run: str, position: int = 0) -> Entry:
    """Of the columns of tag_rows, and when the run last changed, where that is known."""
    return Entry((environment, tag, run), position, TagRow(environment, tag, run))


def token_tag_entry(environment: str, tag: str, status: str, waitpoint: str, position: int = 0) -> Entry:
    """Of the columns of waitpoint_tag_rows, and when the token last changed, where that is known."""
    return waitpoint_tag_entry(environment, tag, status, waitpoint, position)


ENTRIES: dict[str, Callable[..., Entry]] = {
    "runs": run_entry,
    "attempts": attempt_entry,
    "checkpoint": state_entry,
    "waitpoints": waitpoint_entry,
    "schedules": schedule_entry,
    "listings": listing_entry,
    # When an execution last changed is known by its run alone.
    "executions": lambda *columns: execution_entry(*columns, 0),
    "tags": tag_entry,
    "waitpoint tags": token_tag_entry,
    "lasting": lasting_entry,
}
"""What makes an entry of the columns of each projection."""
FIRST: dict[str, Key] = {"tags": ("", "", ""), "waitpoint tags": ("", "", "", ""), "lasting": ("", 0, 0)}
"""A key that all others are behind."""


def stream_of(projection: str, columns: Columns) -> str:
    """Of which stream a row tells: what is read by keys has it last, all others first."""
    return str(columns[-1] if projection in BY_KEY else columns[0])


def rows_of(changes: Changes) -> dict[str, list[Columns]]:
    """The rows of a fold of whole histories, by projection and in the order of streams, as they are to be stored."""
    gone = set(changes.erased)
    attempts = (erased(row) if row.run in gone else row for row in (*changes.tried, *changes.attempts))
    return {
        "runs": list(map(of_run, changes.added)),
        "attempts": list(map(of_attempt, attempts)),
        "tags": [(row.environment, row.tag, row.run) for row in changes.tags],
        "checkpoint": list(map(of_state, [*changes.begun, *changes.states])),
        "waitpoints": list(map(of_waitpoint, changes.waitpoints)),
        "waitpoint tags": list(map(of_waitpoint_tag, changes.waitpoint_tags)),
        "schedules": list(map(of_schedule, changes.schedules)),
        "listings": list(map(of_begun, changes.listings)),
        "executions": list(map(of_execution, changes.executions)),
        "lasting": list(map(of_lasting, changes.lasting)),
    }


def entry_of(projection: str, columns: Columns, positions: Mapping[str, int]) -> Entry:
    """A row as it is read; `positions` are the last events of streams, for rows that do not tell when they changed."""
    entry = ENTRIES[projection](*columns)
    return entry if entry.position else entry._replace(position=positions.get(stream_of(projection, columns), 0))
