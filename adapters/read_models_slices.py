"""Parts of the stored rows, by the streams that they are of: what is compared while others follow."""

from collections.abc import Callable

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
from projections.fold import Changes, TagRow
from projections.ports import Entry, Key

ENTRIES: dict[str, Callable[..., Entry]] = {
    "runs": run_entry,
    "attempts": attempt_entry,
    "checkpoint": state_entry,
    "waitpoints": waitpoint_entry,
    "schedules": schedule_entry,
    "listings": listing_entry,
    # When an execution last changed is known by its run alone.
    "executions": lambda *columns: execution_entry(*columns, 0),
}
"""What makes an entry of the columns, for each projection whose keys begin with a stream."""
FIRST: dict[str, Key] = {"tags": ("", "", ""), "waitpoint tags": ("", "", "", ""), "lasting": ("", 0, 0)}
"""A key that all others are behind."""


def tag_entry(environment: str, tag: str, run: str, position: int = 0) -> Entry:
    """Of the columns of tag_rows, and when the run last changed, where that is known."""
    return Entry((environment, tag, run), position, TagRow(environment, tag, run))


def token_tag_entry(environment: str, tag: str, status: str, waitpoint: str, position: int = 0) -> Entry:
    """Of the columns of waitpoint_tag_rows, and when the token last changed, where that is known."""
    return waitpoint_tag_entry(environment, tag, status, waitpoint, position)


def expected(changes: Changes) -> dict[str, list[Entry]]:
    """The entries of a fold, as they come back from a database that they were written to."""
    runs, tokens = [*changes.added, *changes.changed], changes.waitpoints
    position = {row.id: row.position for row in runs}
    position |= {row.id: row.position for row in tokens}
    return {
        "runs": [run_entry(*of_run(row)) for row in runs],
        "attempts": [attempt_entry(*of_attempt(row)) for row in changes.attempts],
        "tags": [tag_entry(row.environment, row.tag, row.run, position[row.run]) for row in changes.tags],
        "checkpoint": [state_entry(*of_state(row)) for row in changes.states],
        "waitpoints": [waitpoint_entry(*of_waitpoint(row)) for row in tokens],
        "waitpoint tags": [
            token_tag_entry(*of_waitpoint_tag(row), position[row.waitpoint]) for row in changes.waitpoint_tags
        ],
        "schedules": [schedule_entry(*of_schedule(row)) for row in changes.schedules],
        "listings": [listing_entry(*of_begun(row)) for row in changes.listings],
        "executions": [execution_entry(*of_execution(row), position[row.id]) for row in changes.executions],
        "lasting": [lasting_entry(*of_lasting(row)) for row in changes.lasting if row not in changes.lasting_gone],
    }
