"""The list of schedules: one row for each that there is, with its state."""

from msgspec import Struct

from domain.schedule import Schedule


class ScheduleRow(Struct, frozen=True, gc=False):
    """One schedule as its latest event, at `position` in the ledger, left it."""

    id: str
    environment: str
    created_at: int
    position: int
    schedule: Schedule


def row_of(schedule: Schedule, position: int) -> ScheduleRow:
    """The row of a schedule; one that is deleted has none."""
    return ScheduleRow(schedule.id, schedule.environment, schedule.created_at, position, schedule)
