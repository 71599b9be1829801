"""Rows of schedules as columns, and back."""

from msgspec import Struct, json

from domain.schedule import Schedule
from projections.ports import Columns
from projections.schedules import ScheduleRow


class _Detail(Struct, gc=False):
    """What has no column of its own."""

    position: int
    schedule: Schedule


_encode = json.Encoder().encode
_decode = json.Decoder(_Detail).decode


def of_schedule(row: ScheduleRow) -> Columns:
    """The columns of schedule_rows, in the order of the table."""
    return row.id, row.environment, row.created_at, _encode(_Detail(row.position, row.schedule)).decode()


def to_schedule(columns: Columns) -> ScheduleRow:
    """The row of these columns. Raises ValueError (msgspec's errors are such) when they are none."""
    schedule, environment, created_at, text = columns
    detail = _decode(text)
    return ScheduleRow(schedule, environment, created_at, detail.position, detail.schedule)
